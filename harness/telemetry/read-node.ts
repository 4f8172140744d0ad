import { realClock } from '../../kit/clock.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { DOCUMENT_NAMES, type DocumentName, type Epoch } from '../../proofs/evidence.ts';
import { missing, type Observation, seen } from '../../proofs/observation.ts';
import type { MeshHost } from '../fleet/mesh-host.ts';

/** One raw diagnostics document as the node served it, and the process lifetime it speaks of. */
interface RawDocument {
  readonly rawText: string;
  readonly body: unknown;
  readonly epoch: Epoch;
}

/** What one look at all documents of one node gave. */
export interface NodeReading {
  readonly node: string;
  readonly atWallMs: number;
  readonly atMonoMs: number;
  readonly tookMs: number;
  readonly documents: Readonly<Record<DocumentName, Observation<RawDocument>>>;
}

/** Reads every document of every node at once; a node or document that does not answer costs `deadlineMs` at most. */
export function readNodes(
  hosts: readonly MeshHost[],
  deadlineMs: number,
  signal: AbortSignal,
): Promise<readonly NodeReading[]> {
  return Promise.all(hosts.map((host) => readNode(host, deadlineMs, signal)));
}

async function readNode(host: MeshHost, deadlineMs: number, signal: AbortSignal): Promise<NodeReading> {
  const atWallMs = realClock.wallMs();
  const atMonoMs = realClock.nowMs();
  const observed = await Promise.all(
    DOCUMENT_NAMES.map(async (name) => [name, await readDocument(host, name, deadlineMs, signal)] as const),
  );
  return {
    node: host.name,
    atWallMs,
    atMonoMs,
    tookMs: realClock.nowMs() - atMonoMs,
    documents: Object.fromEntries(observed) as Record<DocumentName, Observation<RawDocument>>,
  };
}

async function readDocument(
  host: MeshHost,
  name: DocumentName,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Observation<RawDocument>> {
  try {
    const { text, body } = await host.node.document(name, { timeoutMs: deadlineMs, signal });
    const { boot_id, uptime_secs } = body;
    return seen({ rawText: text, body, epoch: { boot_id, uptime_secs } });
  } catch (error) {
    signal.throwIfAborted();
    return missing('unreadable', `${name} of ${host.name}: ${codeOf(error)}: ${messageOf(error)}`);
  }
}
