import { BoundedMap } from '../../kit/bounded.ts';
import { kindOf } from './control-frame.ts';

const MAX_TOPICS_COUNTED = 1_024;

const DIAGNOSTIC_KIND = {
  ihave: 'ihave',
  iwant: 'iwant',
  graft: 'graft',
  prune: 'prune',
  summary: 'anti_entropy',
  buckets: 'anti_entropy',
  digest: 'anti_entropy',
  keyWant: 'other',
  key: 'other',
  echo: 'other',
  echoed: 'other',
} as const;

/** What gossip counts about itself that no single part owns. */
export class GossipCounters {
  publishTotal = 0;
  publishFailed = 0;
  /** Messages from others that a local subscriber wanted. */
  incomingWanted = 0;
  slowSubscriberDrops = 0;
  zeroFanout = 0;
  zeroSucceeded = 0;
  readonly zeroFanoutByTopic = new BoundedMap<string, number>({ max: MAX_TOPICS_COUNTED });
  readonly messageKinds = { eager: 0, ihave: 0, iwant: 0, anti_entropy: 0, other: 0, prune: 0, graft: 0 };

  inboundControl(frame: Uint8Array): void {
    const kind = kindOf(frame);
    this.messageKinds[kind === undefined ? 'other' : DIAGNOSTIC_KIND[kind]] += 1;
  }

  /** A publish that was offered to `offered` peers, of which `handed` took it. */
  fannedOut(topic: string, offered: number, handed: number): void {
    if (handed > 0) return;
    this.zeroSucceeded += 1;
    if (offered > 0) return;
    this.zeroFanout += 1;
    this.zeroFanoutByTopic.set(topic, (this.zeroFanoutByTopic.get(topic) ?? 0) + 1);
  }
}
