import type { DocumentName, Epoch, SampleRecord } from '../proofs/evidence.ts';
import { isSeen } from '../proofs/observation.ts';

/**
 * A live document's uptime grows as time passes. 2 s: uptime has a resolution of 1 s at both ends. 10 %: the clocks of
 * two hosts may be slewed against each other, and a round takes its time.
 */
const SLACK_MS = 2_000;
const SLACK_SHARE = 0.1;

/** When a process must have started for what a sample shows of it to be true. */
interface Start {
  readonly startedMonoMs: number;
  readonly atMonoMs: number;
  readonly tookMs: number;
}

interface Life {
  readonly first: Start;
  readonly previous: Start;
}

function startOf(sample: SampleRecord, { uptime_secs: uptimeSecs }: Epoch): Start {
  const { at_mono_ms: atMonoMs, took_ms: tookMs } = sample;
  return { startedMonoMs: atMonoMs - uptimeSecs * 1_000, atMonoMs, tookMs };
}

function earliest(a: Start, b: Start): Start {
  return b.startedMonoMs < a.startedMonoMs ? b : a;
}

function slackMs(from: Start, to: Start): number {
  return SLACK_MS + SLACK_SHARE * (to.atMonoMs - from.atMonoMs) + from.tookMs;
}

function seenEpochs(sample: SampleRecord): readonly (readonly [DocumentName | null, Epoch])[] {
  const documents = Object.entries(sample.documents) as [
    DocumentName,
    SampleRecord['documents'][DocumentName],
  ][];
  const kept = documents.flatMap(([name, observed]) =>
    observed !== undefined && isSeen(observed) ? [[name, observed.seen.epoch] as const] : [],
  );
  return sample.epoch === null ? kept : [...kept, [null, sample.epoch]];
}

function behindText(from: Start, own: Start): string {
  const passedSecs = (own.atMonoMs - from.atMonoMs) / 1_000;
  const behindSecs = (own.startedMonoMs - from.startedMonoMs) / 1_000;
  return `its uptime is ${behindSecs.toFixed(1)} s behind what the process had reached (${passedSecs.toFixed(1)} s passed): an old document was answered again`;
}

function aheadText(from: Start, own: Start): string {
  const passedSecs = (own.atMonoMs - from.atMonoMs) / 1_000;
  const grownSecs = passedSecs + (from.startedMonoMs - own.startedMonoMs) / 1_000;
  return `its uptime grew by ${grownSecs.toFixed(1)} s in ${passedSecs.toFixed(1)} s`;
}

/** Why documents of one sample are stale, by name. */
type StaleDocuments = ReadonlyMap<DocumentName, string>;

/**
 * The documents of one node that do not live: inside one process lifetime, uptime must advance as the harness's
 * monotonic clock does, from the first sample and from the one before, and no document may lag behind its siblings of
 * the same round.
 * @param samples of this node, in the order of the harness's monotonic clock
 */
export function findStaleDocuments(
  samples: readonly SampleRecord[],
): ReadonlyMap<SampleRecord, StaleDocuments> {
  const lives = new Map<string, Life>();
  const ownPrevious = new Map<string, Start>();
  const found = new Map<SampleRecord, StaleDocuments>();
  for (const sample of samples) {
    const epochs = seenEpochs(sample);
    const here = new Map<string, Start>();
    for (const [, epoch] of epochs) {
      const start = startOf(sample, epoch);
      here.set(epoch.boot_id, earliest(here.get(epoch.boot_id) ?? start, start));
    }
    const stale = new Map<DocumentName, string>();
    for (const [name, epoch] of epochs) {
      if (name === null) continue;
      const own = startOf(sample, epoch);
      const life = lives.get(epoch.boot_id);
      const siblings = here.get(epoch.boot_id) ?? own;
      const references = life === undefined ? [siblings] : [siblings, life.previous, life.first];
      const leader = references.find((from) => own.startedMonoMs - from.startedMonoMs > slackMs(from, own));
      const key = JSON.stringify([epoch.boot_id, name]);
      const before = ownPrevious.get(key);
      const isAhead =
        before !== undefined && before.startedMonoMs - own.startedMonoMs > slackMs(before, own) + own.tookMs;
      if (leader !== undefined) stale.set(name, behindText(leader, own));
      else if (isAhead) stale.set(name, aheadText(before, own));
      ownPrevious.set(key, own);
    }
    if (stale.size > 0) found.set(sample, stale);
    for (const [bootId, start] of here) {
      lives.set(bootId, { first: lives.get(bootId)?.first ?? start, previous: start });
    }
  }
  return found;
}
