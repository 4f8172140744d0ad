import { BoundedMap } from '../kit/bounded.ts';
import { sha256Hex } from '../kit/hash.ts';
import type { DirectMessageEvent } from '../node/api/schema/messages.ts';
import type { ReceivedDmDetails } from './action-schema.ts';
import type { CommandDesk } from './command-desk.ts';
import { decodeDm, type Hop } from './dm-frames.ts';
import type { Reporter } from './reporter.ts';

const RECEIPTS_REMEMBERED = 8_192;
const ANCHORS_MAX = 16;

interface DmModules {
  readonly desk: Pick<CommandDesk, 'receive'>;
  readonly reporter: Pick<Reporter, 'report'>;
}

/**
 * Sorts the node's direct messages: commands go to the desk, test traffic is reported each time that it arrives, so
 * that a message delivered twice shows. Reports are posted only to anchors that a genuine command has named:
 * otherwise any stranger's message could make this runner write to whomever it names.
 */
export class DmDesk {
  readonly #modules: DmModules;
  readonly #receipts = new BoundedMap<string, number>({ max: RECEIPTS_REMEMBERED });
  readonly #anchors = new BoundedMap<string, true>({ max: ANCHORS_MAX });
  #hops = 0;
  #ignored = 0;

  constructor(modules: DmModules) {
    this.#modules = modules;
  }

  stats(): { readonly hops: number; readonly ignored: number } {
    return { hops: this.#hops, ignored: this.#ignored };
  }

  async receive(event: DirectMessageEvent): Promise<void> {
    const payload = Buffer.from(event.payload, 'base64');
    const frame = decodeDm(payload);
    if (frame?.form === 'hop') {
      this.#hops += 1;
      this.#reportHop(frame, event, payload.length);
    } else if (frame?.form === 'command') {
      await this.#modules.desk.receive(frame.text, ({ anchor_aid }) => {
        if (anchor_aid !== null) this.#anchors.set(anchor_aid, true);
        return anchor_aid;
      });
    } else {
      this.#ignored += 1; // results on their way to the harness, and traffic that is none of ours
    }
  }

  #reportHop(
    { requestId, digestMarker, anchorAid, payload }: Hop,
    event: DirectMessageEvent,
    bytes: number,
  ): void {
    const key = `${event.sender} ${requestId}`;
    const receipt = (this.#receipts.get(key) ?? 0) + 1;
    this.#receipts.set(key, receipt);
    const details: ReceivedDmDetails = {
      sender: event.sender,
      machine_id: event.machine_id,
      verified: event.verified,
      trust_decision: event.trust_decision,
      bytes,
      via: 'direct',
      payload_sha256: sha256Hex(payload),
      receipt,
      received_at_ms: event.received_at,
    };
    this.#modules.reporter.report({
      kind: 'received_dm',
      commandId: null,
      requestId,
      outcome: 'ok',
      details,
      digestMarker,
      replyTo: this.#anchors.has(anchorAid) ? anchorAid : null,
    });
  }
}
