import { Random } from '../../kit/random.ts';

export const KINDS = ['cut_v4', 'cut_v6', 'cut_large', 'pause', 'stop'] as const;
/** What was going on when the death came. */
const PHASES = ['apply', 'hold', 'renew', 'revert'] as const;
/**
 * Who dies: the process that holds the harness's end of the connection (all that the host ever sees of the harness),
 * the connection's other end, the fault program, or nobody: the connection is silent, and nothing is renewed.
 */
const DEATHS = ['harness', 'sshd', 'program', 'silence'] as const;

export type Kind = (typeof KINDS)[number];
export type Phase = (typeof PHASES)[number];

export interface Trial {
  readonly id: string;
  readonly kind: Kind;
  readonly phase: Phase;
  readonly death: (typeof DEATHS)[number];
  /** The moment of death, as a share of what the phase takes. */
  readonly at: number;
}

/** `count` trials: every kind with every phase and every death in turn, in a seeded order and at seeded moments. */
export function planTrials(count: number, seed: number): readonly Trial[] {
  const random = new Random(seed);
  const all = KINDS.flatMap((kind) =>
    PHASES.flatMap((phase) => DEATHS.map((death) => ({ kind, phase, death }))),
  );
  const rounds = Array.from({ length: Math.ceil(count / all.length) }, () => random.shuffle(all)).flat();
  return rounds.slice(0, count).map((trial, index) => ({ ...trial, id: `t${index}`, at: random.float() }));
}
