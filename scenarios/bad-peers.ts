import * as z from 'zod';
import { UsageError } from '../kit/errors.ts';
import { OUTSIDER_KINDS, type OutsiderKind } from './outsiders.ts';
import { type ScenarioFlag, scenario } from './scenario.ts';
import { type AttackPlan, underAttack } from './under-attack.ts';

const BAD_EXTERNAL_PEER = 'bad_external_peer';
const MANY_BAD_PEERS = 'many_bad_peers';

const seconds = z.number().min(2).max(3_600);
const ATTACK_FLAG: ScenarioFlag = {
  flag: 'attack-secs',
  option: 'attack_secs',
  describe: 'how long outsiders are at work (default 20)',
  takes: { number: 'any', low: 2, high: 3_600 },
};

/** The burst that must get through while outsiders are at work. */
const burstOptions = {
  attack_secs: seconds.default(20),
  messages: z.int().min(1).max(10_000).default(100),
  payload_bytes: z.int().min(128).max(1_048_576).default(4_096),
  delay_ms: z.number().min(0).max(60_000).default(20),
  settle_secs: z.number().positive().max(600).default(30),
};

function planOf(
  waves: AttackPlan['waves'],
  options: Readonly<
    Record<'attack_secs' | 'messages' | 'payload_bytes' | 'delay_ms' | 'settle_secs', number>
  >,
): AttackPlan {
  return {
    waves,
    attackMs: options.attack_secs * 1_000,
    burst: {
      messages: options.messages,
      payloadBytes: options.payload_bytes,
      delayMs: options.delay_ms,
      settleMs: options.settle_secs * 1_000,
    },
  };
}

const isKind = (name: string): name is OutsiderKind => OUTSIDER_KINDS.some((kind) => kind === name);

/** @throws UsageError `BAD_FLAG` */
function kindsOf(names: readonly string[]): readonly OutsiderKind[] {
  const unknown = names.find((name) => !isKind(name));
  if (unknown !== undefined) {
    const why = `"${unknown}" is not one of ${OUTSIDER_KINDS.join(', ')}`;
    throw new UsageError('BAD_FLAG', `--outsider-kinds: ${why}`, { details: { flag: '--outsider-kinds' } });
  }
  return names.filter(isKind);
}

/** One hostile program from outside the roster, of each kind in turn, while the mesh is at work. */
export const badExternalPeer = scenario({
  name: BAD_EXTERNAL_PEER,
  summary: 'a hostile peer from outside the roster, of each kind in turn; matrix and burst must not feel it',
  destructive: null,
  options: z.strictObject({
    ...burstOptions,
    kinds: z
      .array(z.string())
      .min(1)
      .default([...OUTSIDER_KINDS]),
  }),
  flags: [
    ATTACK_FLAG,
    {
      flag: 'outsider-kinds',
      option: 'kinds',
      describe: `kinds of outsiders, separated by commas (default ${OUTSIDER_KINDS.join(',')})`,
      takes: { text: 'nodes' },
    },
  ],
  plannedFaults(_fleet, { kinds }) {
    kindsOf(kinds); // told now, not in the middle of the run
    return [];
  },
  async run(context, options) {
    const waves = kindsOf(options.kinds).map((kind) => ({ label: `under attack by ${kind}`, kinds: [kind] }));
    await underAttack(context, BAD_EXTERNAL_PEER, planOf(waves, options));
  },
});

/** Several hostile programs of all kinds at once. */
export const manyBadPeers = scenario({
  name: MANY_BAD_PEERS,
  summary: 'several hostile peers of every kind at once; matrix and burst must not feel them',
  destructive: null,
  options: z.strictObject({
    ...burstOptions,
    of_each: z.int().min(1).max(6).default(2).describe('outsiders of each kind'),
  }),
  flags: [
    ATTACK_FLAG,
    {
      flag: 'outsiders-of-each',
      option: 'of_each',
      describe: 'outsiders of each kind (default 2)',
      takes: { number: 'whole', low: 1, high: 6 },
    },
  ],
  async run(context, options) {
    const kinds = OUTSIDER_KINDS.flatMap((kind) => Array.from({ length: options.of_each }, () => kind));
    await underAttack(context, MANY_BAD_PEERS, planOf([{ label: 'under attack by all', kinds }], options));
  },
});
