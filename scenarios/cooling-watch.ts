import { isSeen } from '../proofs/observation.ts';
import type { PeerView } from '../proofs/scenario-records.ts';
import type { sameProcess } from './looks.ts';
import type { NodeLook } from './mesh-access.ts';

/** What one observer did about the target between two looks. Null figures: it could not be told, for `why`. */
export interface CoolingChange {
  readonly observer: string;
  readonly coolings: number | null;
  readonly sendTimeouts: number | null;
  /** Topics on which it holds back from the target now and did not before. */
  readonly newTopics: readonly string[];
  readonly why: string | null;
}

/**
 * Per observer, from counters that only grow: what it did since `before`, whatever other load drained meanwhile. A
 * restarted observer has no growth.
 */
export function coolingSince(
  before: readonly PeerView[],
  after: readonly PeerView[],
): readonly CoolingChange[] {
  return after.map((now): CoolingChange => {
    const { observer } = now;
    const was = before.find((one) => one.observer === observer);
    const unknown = (why: string) => ({ observer, coolings: null, sendTimeouts: null, newTopics: [], why });
    if (was?.view == null) return unknown(was?.unreadable ?? `${observer} was not looked at before`);
    if (now.view === null) return unknown(now.unreadable ?? `${observer} could not be read`);
    if (was.boot_id !== now.boot_id) return unknown(`${observer} restarted`);
    const known = was.view.suppressed_topics;
    return {
      observer,
      coolings: Math.max(0, now.view.cooling_events_total - was.view.cooling_events_total),
      sendTimeouts: Math.max(0, now.view.send_timeouts_total - was.view.send_timeouts_total),
      newTopics: now.view.suppressed_topics.filter((topic) => !known.includes(topic)),
      why: null,
    };
  });
}

/** Whether an observer cooled the target since. */
export function hasCooled({ coolings, newTopics }: CoolingChange): boolean {
  return (coolings ?? 0) > 0 || newTopics.length > 0;
}

/** Documents may shorten ids, so that either may be the start of the other. */
function isSamePeer(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

/** How often one node cooled peers other than `target` between two looks; which ones, in `why`. */
export function bystanderCoolings(
  looks: ReturnType<typeof sameProcess>,
  target: string,
): { readonly value: number | null; readonly why?: string } {
  if (!isSeen(looks)) return { value: null, why: looks.why };
  const { was, is } = looks.seen;
  const rows = ({ gossip }: NodeLook) =>
    new Map(gossip.pubsub_stages.peer_scores.map((row) => [`${row.peer_id} ${row.topic}`, row]));
  const earlier = rows(was);
  const grown = [...rows(is)].flatMap(([key, row]) => {
    const growth = row.cooling_events - (earlier.get(key)?.cooling_events ?? 0);
    return growth > 0 && !isSamePeer(row.peer_id, target) ? [{ row, growth }] : [];
  });
  const value = grown.reduce((sum, { growth }) => sum + growth, 0);
  if (value === 0) return { value };
  const told = grown.slice(0, 5).map(({ row, growth }) => `${row.peer_id.slice(0, 8)} ${growth} times`);
  return { value, why: `cooled ${told.join(', ')}` };
}
