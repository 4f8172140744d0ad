import type * as z from 'zod';
import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import type { BurstDelivery, EvidenceRecord, PairOutcome } from '../proofs/evidence.ts';
import type { Harm } from '../proofs/safety-schema.ts';
import type { FaultRequest, Faults } from './faults.ts';
import type { MeshAccess } from './mesh-access.ts';
import type { Outsiders } from './outsiders.ts';
import type { Upgrades } from './upgrades.ts';

/** The longest that a runner collects a burst, in ms: publishing with its slack, and settling. */
export const BURST_MAX_MS = 3_600_000;
/** Room for publishing beyond its pace: a busy node answers each publish later than `delayMs`. */
export const BURST_PUBLISH_SLACK_MS = 60_000;

/** A publisher's burst of messages, each subscriber's delivery being measured. */
export interface BurstPlan {
  readonly publisher: string;
  readonly topic: string;
  readonly messages: number;
  readonly payloadBytes: number;
  readonly delayMs: number;
  /** From the end of publishing until a subscriber that still lacks messages is given up. */
  readonly settleMs: number;
  /** Who subscribes; every node when left out. */
  readonly subscribers?: readonly string[];
  /** Subscribers that read nothing from their node's event stream for so long after the first message, in ms. */
  readonly delayedReaders?: Readonly<Record<string, number>>;
}

/**
 * What a scenario may ask of the matrix. Each call writes its own records; what it gives back is for going on or waiting,
 * never for judging.
 */
export interface MatrixAccess {
  /** One direct message over every directed pair of the sealed plan. */
  phaseA(options: { readonly settleMs: number }): Promise<readonly PairOutcome[]>;
  /** One direct message over each of these pairs. Their outcomes carry `label`, so that they can be told apart. */
  send(
    pairs: readonly (readonly [string, string])[],
    options: { readonly settleMs: number; readonly label: string },
  ): Promise<readonly PairOutcome[]>;
  /** A publish burst with a subscriber on every node, or on `subscribers`. */
  burst(plan: BurstPlan): Promise<readonly BurstDelivery[]>;
}

/** All that a scenario sees of the world. */
export interface ScenarioContext {
  readonly window: number;
  readonly fleet: PlannedFleet;
  readonly matrix: MatrixAccess;
  /** What the nodes say of themselves and of each other. */
  readonly mesh: MeshAccess;
  readonly faults: Faults;
  readonly outsiders: Outsiders;
  readonly upgrades: Upgrades;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  record(record: EvidenceRecord): Promise<void>;
  /** Records one declared figure of this scenario (`proofs/scenario-measures.ts`). */
  measure(figure: {
    readonly name: string;
    readonly value: number | null;
    readonly node?: string;
    readonly peer?: string;
    readonly why?: string;
  }): Promise<void>;
}

/** The nodes that a scenario will meet, known before the run. */
export interface PlannedFleet {
  readonly anchor: string;
  readonly nodes: readonly string[];
}

/** A flag of `run` and `soak` that sets an option of a scenario. Scenarios may share one; it then sets the option of each. */
export interface ScenarioFlag {
  /** Without its dashes: `block-secs`. */
  readonly flag: string;
  readonly option: string;
  readonly describe: string;
  /** What may be typed: text as it is, names separated by commas, or a number within bounds. */
  readonly takes:
    | { readonly text: 'node' | 'nodes' }
    | { readonly number: 'any' | 'whole'; readonly low: number; readonly high: number };
}

/** Shared by the scenarios that wait for what is under way. */
export const SETTLE_FLAG: ScenarioFlag = {
  flag: 'settle-secs',
  option: 'settle_secs',
  describe: 'time for what is under way to arrive',
  takes: { number: 'any', low: 0.1, high: 86_400 },
};

/**
 * An experiment. `run` gives nothing back: what it learnt is in the records it wrote, and it never judges. A throw
 * means that the experiment itself could not be carried out.
 */
export interface Scenario<Options extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** One sentence for the operator. */
  readonly summary: string;
  /** The kind of harm it does, or null: destructive ones need the operator's explicit leave. A function where the options decide. */
  readonly destructive: Harm | null | ((options: z.infer<Options>) => Harm | null);
  readonly options: Options;
  readonly flags: readonly ScenarioFlag[];
  /**
   * The faults that it will hold, told before the run so that the safety nets can refuse them then. One call per fault, in order.
   * @throws UsageError for options that do not fit the fleet, naming the flag
   */
  plannedFaults?(fleet: PlannedFleet, options: z.infer<Options>): readonly FaultRequest[];
  run(context: ScenarioContext, options: z.infer<Options>): Promise<void>;
}

/** Ties the options' type to `run`, and forgets it for the registry. */
export function scenario<Options extends z.ZodType>(definition: Scenario<Options>): Scenario {
  const parse = (options: unknown) => definition.options.parse(options);
  const { destructive } = definition;
  return {
    ...definition,
    destructive: typeof destructive === 'function' ? (options) => destructive(parse(options)) : destructive,
    plannedFaults: (fleet, options) => definition.plannedFaults?.(fleet, parse(options)) ?? [],
    run: (context, options) => definition.run(context, parse(options)),
  };
}

/** The kind of harm that a scenario does with these options; null for none, and for options that no plan will take. */
export function harmOf({ destructive, options: schema }: Scenario, options: unknown): Harm | null {
  if (typeof destructive !== 'function') return destructive;
  const parsed = schema.safeParse(options);
  return parsed.success ? destructive(parsed.data) : null;
}
