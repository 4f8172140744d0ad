import { readFileSync } from 'node:fs';
import type { DocumentName, EvidenceRecord, RecordOf, RecordType, Verdict } from '../proofs/evidence.ts';
import { type FixtureOverrides, fixtureProof } from '../proofs/fixture.ts';
import type { Evidence } from './evidence-index.ts';
import type { Gate } from './gate-schema.ts';
import { parseGate } from './parse-gate.ts';

/** Test-only: healthy evidence, and ways to plant one defect in it. */

/** A definition that ships with the project. */
export function shippedGate(name: string): Gate {
  const text = readFileSync(new URL(`definitions/${name}.toml`, import.meta.url), 'utf8');
  return parseGate(text, `${name}.toml`);
}

export function evidenceOf(overrides: FixtureOverrides = {}): Evidence {
  const { plan, records, documents } = fixtureProof(overrides);
  return { plan, records, documents, torn: false };
}

/** One objective broken on purpose. */
export interface Planted {
  readonly objective: string;
  readonly defect: FixtureOverrides;
  readonly reason: RegExp;
  /** The nearest evidence that must still pass; the healthy run when not given. */
  readonly twin?: FixtureOverrides;
  /** Objectives that must break with it, since the same fact breaks both. */
  readonly also?: readonly string[];
}

type Body = Record<string, unknown>;

/** Sets the value at a dotted path of a copy of `body`. */
function withValue(body: Body, path: string, value: unknown): Body {
  const [key = '', ...rest] = path.split('.');
  if (rest.length === 0) return { ...body, [key]: value };
  const inner = body[key];
  const at = typeof inner === 'object' && inner !== null ? Object.fromEntries(Object.entries(inner)) : {};
  return { ...body, [key]: withValue(at, rest.join('.'), value) };
}

/** One figure of `node` from reading `fromStep` on (four readings per window with two scenarios). */
export function figureFrom(
  node: string,
  fromStep: number,
  metric: string,
  value: unknown,
): Required<Pick<FixtureOverrides, 'body'>> {
  const [document, ...path] = metric.split('.');
  return {
    body: (body: Body, name: DocumentName, place) =>
      name === document && place.node === node && place.step >= fromStep
        ? withValue(body, path.join('.'), value)
        : body,
  };
}

/** Changes the records of one type for which `where` holds. */
export function changed<T extends RecordType>(
  type: T,
  where: (record: RecordOf<T>) => boolean,
  change: (record: RecordOf<T>) => EvidenceRecord,
): Required<Pick<FixtureOverrides, 'records'>> {
  const isOfType = (record: EvidenceRecord): record is RecordOf<T> => record.type === type;
  return {
    records: (records) =>
      records.map((record) => (isOfType(record) && where(record) ? change(record) : record)),
  };
}

/** Leaves out the records for which `where` holds. */
export function without(
  where: (record: EvidenceRecord) => boolean,
): Required<Pick<FixtureOverrides, 'records'>> {
  return { records: (records) => records.filter((record) => !where(record)) };
}

/** Adds records right before the end of the window `window`. */
export function added(
  window: number,
  ...more: readonly EvidenceRecord[]
): Required<Pick<FixtureOverrides, 'records'>> {
  return {
    records: (records) =>
      records.flatMap((record) =>
        record.type === 'window_finished' && record.window === window ? [...more, record] : [record],
      ),
  };
}

/** How long the new process of `restarted` has been up at its first reading. */
const BOOTED_BEFORE_MS = 4_000;

/** A new process of `node` from reading `fromStep` on. */
export function restarted(node: string, fromStep: number): Required<Pick<FixtureOverrides, 'epoch'>> {
  let firstMs = Number.POSITIVE_INFINITY;
  return {
    epoch: ({ node: name, step, atMs }) => {
      if (name !== node || step < fromStep)
        return { boot_id: `boot-${name}`, uptime_secs: 60 + atMs / 1_000 };
      firstMs = Math.min(firstMs, atMs);
      return { boot_id: `reboot-${node}`, uptime_secs: (atMs - firstMs + BOOTED_BEFORE_MS) / 1_000 };
    },
  };
}

/** Names of the objectives with a finding of this verdict, each once. */
export function objectivesThatAre(word: Verdict['overall'], { findings }: Verdict): readonly string[] {
  return [...new Set(findings.filter(({ verdict }) => verdict === word).map(({ objective }) => objective))];
}

/** Every reason of a verdict as one text. */
export function reasonsText(verdict: Verdict): string {
  return verdict.reasons.join('\n');
}
