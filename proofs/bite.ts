import type { FaultHistory } from './fault-history.ts';
import type { FaultMeasured } from './fault-records.ts';

/** Whether a fault took hold of what it was meant to, and of nothing else. */
export type Bite =
  | { readonly bites: 'yes' }
  /** It was measured and did not. */
  | { readonly bites: 'no'; readonly why: string }
  /** The measurements do not tell. */
  | { readonly bites: 'unknown'; readonly why: string };

type Measures = Pick<FaultHistory, 'requested' | 'measured'>;

/** The rise of the round trip, as a share of the delay asked for, from which a delay counts as felt. */
const DELAY_FELT_SHARE = 0.5;

const YES: Bite = { bites: 'yes' };
const no = (why: string): Bite => ({ bites: 'no', why });
const unknown = (why: string): Bite => ({ bites: 'unknown', why });

const placeOf = ({ edge, node }: FaultMeasured) => (edge === null ? (node ?? '') : `${edge[0]}→${edge[1]}`);

/** The newest measurement of each place in `phase`. */
function newest(
  measured: readonly FaultMeasured[],
  phase: FaultMeasured['phase'],
  role: FaultMeasured['role'],
) {
  const own = measured.filter((one) => one.phase === phase && one.role === role);
  return new Map(own.map((one) => [placeOf(one), one]));
}

/**
 * Whether the fault bites, from what was measured before and during it. Every place that it harms must feel it: a cut edge
 * does not answer, although it did before or real packets met its rule; of a cut that lets some packets pass, others met
 * its rule; a delayed edge is slower by at least half of the delay; loss and rate show in the rule's counter or in lost
 * probes; a process is paused, stopped, or a new one. Every control place must not feel it. What could not be measured is
 * unknown, never a bite.
 */
export function biteOf({ requested, measured }: Measures): Bite {
  const before = newest(measured, 'before', 'faulted');
  const during = newest(measured, requested.kind === 'restart' ? 'after' : 'during', 'faulted');
  const places =
    requested.edges.length > 0 ? requested.edges.map(([from, to]) => `${from}→${to}`) : requested.targets;
  const spread = controlsFelt(requested.spec, measured);
  if (spread !== null) return spread;
  const all = places.map((place) => biteAt(requested, place, before.get(place), during.get(place)));
  return all.find(({ bites }) => bites === 'no') ?? all.find(({ bites }) => bites === 'unknown') ?? YES;
}

function biteAt(
  { kind, spec }: Measures['requested'],
  place: string,
  before: FaultMeasured | undefined,
  during: FaultMeasured | undefined,
): Bite {
  if (during === undefined) return unknown(`${place} was never measured while it stood`);
  const unreadable = during.unreadable === null ? '' : `: ${during.unreadable}`;
  const dropped = (during.matched_packets ?? 0) > 0;
  switch (kind) {
    case 'cut': {
      // A rule is counted per host: what it dropped may have been another edge's.
      const isWhole = spec.larger_than_bytes === undefined && spec.flows === undefined;
      if (isWhole && (during.probes?.answered ?? 0) > 0) return no(`${place} still answered`);
      if (dropped) return YES;
      if (typeof spec.larger_than_bytes === 'number') {
        if (during.matched_packets === null)
          return unknown(`${place}: nothing counts the packets that it drops${unreadable}`);
        return no(`${place}: no packet of more than ${spec.larger_than_bytes} bytes met it`);
      }
      if (during.probes === null) return unknown(`${place} could not be probed${unreadable}`);
      if (during.probes.answered > 0) return no(`${place} still answered`);
      if ((before?.probes?.answered ?? 0) === 0) return unknown(`${place} did not answer before it either`);
      return YES;
    }
    case 'shape':
      return shapeBite(place, spec, before, during, dropped);
    case 'pause':
    case 'stop': {
      const wanted = kind === 'pause' ? ['paused'] : ['stopped', 'gone'];
      if (during.process === null) return unknown(`the process of ${place} could not be seen${unreadable}`);
      return wanted.includes(during.process.state)
        ? YES
        : no(`the process of ${place} was ${during.process.state}`);
    }
    case 'restart': {
      const [was, is] = [before?.process?.boot_id ?? null, during.process?.boot_id ?? null];
      if (was === null || is === null)
        return unknown(`${place} did not show which process it was${unreadable}`);
      return was === is ? no(`${place} was still the same process`) : YES;
    }
  }
}

function shapeBite(
  place: string,
  spec: Measures['requested']['spec'],
  before: FaultMeasured | undefined,
  during: FaultMeasured,
  dropped: boolean,
): Bite {
  const delayMs = typeof spec.delay_ms === 'number' ? spec.delay_ms : 0;
  if (delayMs === 0) {
    if (dropped) return YES;
    if (during.probes !== null && during.probes.answered < during.probes.sent) return YES;
    if (during.matched_packets === null) return unknown(`${place}: nothing counts the packets that it meets`);
    return no(`${place}: no packet met it`);
  }
  const [was, is] = [before?.probes?.rtt_ms ?? null, during.probes?.rtt_ms ?? null];
  if (is === null) return unknown(`${place}: its round trip could not be measured while it stood`);
  if (was === null) return unknown(`${place}: its round trip was not measured before`);
  if (is - was >= delayMs * DELAY_FELT_SHARE) return YES;
  return no(
    `${place}: round trip ${was.toFixed(1)} ms before and ${is.toFixed(1)} ms under ${delayMs} ms of delay`,
  );
}

/** A fault that its controls feel harms more than was asked for. */
function controlsFelt(spec: Measures['requested']['spec'], measured: readonly FaultMeasured[]): Bite | null {
  const before = newest(measured, 'before', 'control');
  const delayMs = typeof spec.delay_ms === 'number' ? spec.delay_ms : null;
  for (const [place, during] of newest(measured, 'during', 'control')) {
    const was = before.get(place)?.probes ?? null;
    const is = during.probes;
    if (is === null)
      return unknown(`control ${place} could not be probed: ${during.unreadable ?? 'no reason'}`);
    if (was !== null && was.answered > 0 && is.answered === 0)
      return no(`control ${place} stopped answering too`);
    const rise = is.rtt_ms !== null && was?.rtt_ms != null ? is.rtt_ms - was.rtt_ms : 0;
    if (delayMs !== null && delayMs > 0 && rise >= delayMs * DELAY_FELT_SHARE) {
      return no(`control ${place} became slower by ${rise.toFixed(1)} ms too`);
    }
  }
  return null;
}
