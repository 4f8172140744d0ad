import type { EvidenceRecord, RecordOf, SampleRecord } from './evidence.ts';
import { isSeen } from './observation.ts';
import type { Plan } from './plan-schema.ts';

/** A change of process of one node, seen between two samples. */
export interface Restart {
  readonly node: string;
  /** Window of the sample that showed it; null when that was outside windows. */
  readonly window: number | null;
  readonly scenario: string | null;
  readonly declared: boolean;
  /** What explains it; null when it is undeclared. */
  readonly declaration: RecordOf<'restart_declared'> | null;
  /** Harness monotonic clock: the old process was last seen at or before this… */
  readonly lastSeenMonoMs: number;
  /** …and the new one first seen at this. */
  readonly firstSeenMonoMs: number;
  readonly why: string;
}

interface Life {
  readonly bootId: string;
  readonly uptimeSecs: Map<string, number>;
}

/** What one sample shows of the processes that answered it, the oldest first. More than one: it restarted meanwhile. */
function livesIn(sample: SampleRecord, current: string | null): Life[] {
  const lives = new Map<string, Map<string, number>>();
  const epochs = Object.entries(sample.documents).flatMap(([name, observed]) =>
    observed !== undefined && isSeen(observed) ? [{ name, epoch: observed.seen.epoch }] : [],
  );
  // A scheduled round keeps no documents, but the lifetime that it saw.
  if (sample.epoch !== null) epochs.push({ name: 'the round', epoch: sample.epoch });
  for (const { name, epoch } of epochs) {
    const { boot_id: bootId, uptime_secs: uptimeSecs } = epoch;
    const uptimes = lives.get(bootId) ?? new Map<string, number>();
    lives.set(bootId, uptimes.set(name, uptimeSecs));
  }
  const age = ([bootId, uptimes]: [string, Map<string, number>]) =>
    bootId === current ? Number.POSITIVE_INFINITY : Math.max(...uptimes.values());
  return [...lives].sort((a, b) => age(b) - age(a)).map(([bootId, uptimeSecs]) => ({ bootId, uptimeSecs }));
}

/** A document whose uptime fell, by more than two overlapping rounds can explain; undefined when none did. */
function fallenUptime(before: Life, now: Life, toleranceSecs: number): string | undefined {
  return [...now.uptimeSecs.keys()].find((name) => {
    const earlier = before.uptimeSecs.get(name);
    const later = now.uptimeSecs.get(name);
    return earlier !== undefined && later !== undefined && later < earlier - toleranceSecs;
  });
}

type Place = Pick<SampleRecord, 'window' | 'scenario' | 'phase'>;

/** Whether a restart declared in `declared` can be the one seen between the samples at `from` and `to`. */
function explains(
  declared: RecordOf<'restart_declared'>,
  from: Place | null,
  to: Place,
  scenarios: readonly string[],
): boolean {
  const order = (place: { readonly scenario: string | null }, whenNull: number) =>
    place.scenario === null ? whenNull : scenarios.indexOf(place.scenario);
  const at = order(declared, -1);
  if (from !== null && from.window !== null && declared.window <= from.window) {
    if (declared.window < from.window) return false;
    const start = order(from, from.phase === 'post' ? scenarios.length : -1);
    if (from.phase === 'post' ? at <= start : at < start) return false;
  }
  if (to.window !== null && declared.window >= to.window) {
    if (declared.window > to.window) return false;
    const end = order(to, to.phase === 'pre' ? -1 : scenarios.length);
    if (to.phase === 'pre' ? at >= end : at > end) return false;
  }
  return true;
}

/**
 * Every restart of one node. An epoch ends when `boot_id` changes, or when uptime goes back under the same one. Each
 * declaration explains one restart; what no declaration explains is undeclared.
 * @param samples of this node, in the order of the harness's monotonic clock
 * @param firstBootId as identified before the first window; null when it never was
 */
export function findRestarts(
  node: string,
  samples: readonly SampleRecord[],
  firstBootId: string | null,
  declarations: readonly RecordOf<'restart_declared'>[],
  scenarios: readonly string[],
): readonly Restart[] {
  const unused = [...declarations];
  const restarts: Restart[] = [];
  let before: SampleRecord | null = null;
  let life: Life | null = firstBootId === null ? null : { bootId: firstBootId, uptimeSecs: new Map() };
  for (const sample of samples) {
    for (const now of livesIn(sample, life?.bootId ?? null)) {
      const toleranceSecs = Math.max(sample.took_ms, before?.took_ms ?? 0) / 1_000;
      const changed = life !== null && life.bootId !== now.bootId;
      const fallen = life !== null && !changed ? fallenUptime(life, now, toleranceSecs) : undefined;
      if (life !== null && (changed || fallen !== undefined)) {
        const from = before;
        const match = unused.findIndex((declared) => explains(declared, from, sample, scenarios));
        const [declaration = null] = match >= 0 ? unused.splice(match, 1) : [];
        restarts.push({
          node,
          window: sample.window,
          scenario: sample.scenario,
          declared: declaration !== null,
          declaration,
          lastSeenMonoMs: before?.at_mono_ms ?? Number.NEGATIVE_INFINITY,
          firstSeenMonoMs: sample.at_mono_ms,
          why: changed
            ? `boot_id changed from ${life.bootId} to ${now.bootId}`
            : `uptime of ${fallen} went back under boot_id ${now.bootId}`,
        });
        life = now;
      } else {
        life = { bootId: now.bootId, uptimeSecs: new Map([...(life?.uptimeSecs ?? []), ...now.uptimeSecs]) };
      }
      before = sample;
    }
  }
  return restarts;
}

/** The restarts of every planned node. Pure; linear in the number of records but for the sorting of samples. */
export function restartsByNode(
  plan: Plan,
  records: readonly EvidenceRecord[],
): ReadonlyMap<string, readonly Restart[]> {
  const of = <T extends EvidenceRecord['type']>(type: T) =>
    records.filter((record): record is RecordOf<T> => record.type === type);
  const samples = Map.groupBy(inTimeOrder(of('sample')), ({ node }) => node);
  const identified = Map.groupBy(of('node_identified'), ({ node }) => node);
  const declared = Map.groupBy(of('restart_declared'), ({ node }) => node);
  const scenarios = [...new Set(plan.scenarios.map(({ name }) => name))];
  return new Map(
    plan.roster.map(({ name: node }) => {
      const firstBootId = identified.get(node)?.[0]?.boot_id ?? null;
      const own = samples.get(node) ?? [];
      return [node, findRestarts(node, own, firstBootId, declared.get(node) ?? [], scenarios)];
    }),
  );
}

/** By the harness's monotonic clock. */
export function inTimeOrder(samples: readonly SampleRecord[]): readonly SampleRecord[] {
  return samples.toSorted((a, b) => a.at_mono_ms - b.at_mono_ms || a.at_wall_ms - b.at_wall_ms);
}
