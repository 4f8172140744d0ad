import type { z } from 'zod';
import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import type { EvidenceRecord } from '../proofs/evidence.ts';

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
}

/** What a scenario may ask of the matrix. Each call writes its own records; nothing is given back to judge by. */
interface MatrixAccess {
  /** One direct message over every directed pair of the sealed plan. */
  phaseA(options: { readonly settleMs: number }): Promise<void>;
  /** A publish burst with a subscriber on every node. */
  burst(plan: BurstPlan): Promise<void>;
}

/** All that a scenario sees of the world. */
export interface ScenarioContext {
  readonly window: number;
  readonly fleet: { readonly anchor: string; readonly nodes: readonly string[] };
  readonly matrix: MatrixAccess;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  record(record: EvidenceRecord): Promise<void>;
}

/**
 * An experiment. `run` gives nothing back: what it learnt is in the records it wrote, and it never judges. A throw
 * means that the experiment itself could not be carried out.
 */
export interface Scenario<Options extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** One sentence for the operator. */
  readonly summary: string;
  /** The kind of harm it does, or null: destructive ones need the operator's explicit leave. */
  readonly destructive: 'netem' | 'partition' | 'restart' | 'pause' | null;
  readonly options: Options;
  run(context: ScenarioContext, options: z.infer<Options>): Promise<void>;
}

/** Ties the options' type to `run`, and forgets it for the registry. */
export function scenario<Options extends z.ZodType>(definition: Scenario<Options>): Scenario {
  return {
    ...definition,
    run: (context, options) => definition.run(context, definition.options.parse(options)),
  };
}
