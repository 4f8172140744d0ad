import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { Random } from '../../kit/random.ts';
import { debianKernel, fetchedKernel, type Kernel, missingForBoot } from './debian-kernel.ts';
import { type Checked, tryKernel } from './try-kernel.ts';

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/meshproof/kernel');
/** Set by `npm run test:kernel`: then what is missing is fetched, and what cannot be had is a failure. */
const IS_REQUIRED = process.env.MESHPROOF_KERNEL === 'required';
const DEATHS = Math.max(4, Math.ceil(Number(process.env.MESHPROOF_DEADMAN ?? 40) / 10));
const SEED = Number(process.env.MESHPROOF_SEED ?? Random.freshSeed());
const BUDGET_MS = 1_300_000;

/** The delay that is set is 1,000 ms; what a busy machine adds to a packet's way stays far below half of it. */
const undelayed = z.object({ rtt_ms: z.number().lt(500), answered: z.literal(10) });
const delayed = z.object({ rtt_ms: z.number().min(1_000).lt(2_000), answered: z.literal(10) });
const silent = z.object({ answered: z.literal(0) });
const clean = z.literal(true);
const healed = { clean, after: z.object({ peer4: undelayed, peer6: undelayed }) } as const;
const all = {
  peer4: undelayed,
  peer6: undelayed,
  other4: undelayed,
  other6: undelayed,
  ssh: z.number().lt(500),
} as const;
const refused = z.object({ said: z.string().regex(/FOREIGN_QDISC/), untouched: z.literal(true) });
const ofDefault = (root: string) =>
  z.object({
    root: z.literal(root),
    said: z.literal('taken'),
    shaped: z.literal('prio 6d70'),
    restored: z.literal(true),
  });

/** What each check in the virtual machine must have measured. */
const EXPECTED = {
  capabilities: [
    'has all that cuts and shapes need',
    z.object({ cut: z.null(), shape: z.null(), pause: z.string() }),
  ],
  delay: [
    'delays what goes to the leased peer, v4 and v6, and neither another peer nor the keys typed into an SSH session',
    z.object({
      before: z.object(all),
      during: z.object({ ...all, peer4: delayed, peer6: delayed }),
      matched: z.int().min(20),
      ...healed,
    }),
  ],
  jitter: [
    'spreads the delay, so that packets overtake each other',
    z.object({
      answered: z.literal(200),
      mean_ms: z.number().min(85).max(300),
      deviation_ms: z.number().min(15).max(150),
      overtaken: z.int().min(20),
      overtaken_without: z.literal(0),
      ...healed,
    }),
  ],
  // 280 of 400 arrive, give or take five standard deviations.
  loss: [
    'loses the share that was asked for, to the leased peer alone',
    z.object({
      peer4: z.int().min(234).max(326),
      peer6: z.int().min(234).max(326),
      other4: z.literal(400),
      ...healed,
    }),
  ],
  rate: [
    'lets no more through than the rate',
    z.object({ answered: z.literal(60), kbit: z.number().min(200).max(840), ...healed }),
  ],
  queue: [
    'holds more than the 1,000 packets at which netem by itself begins to drop, and delivers every one',
    z.object({
      sent: z.literal(3_000),
      waiting: z.int().min(2_000),
      drops: z.literal(0),
      arrived: z.literal(3_000),
      ...healed,
    }),
  ],
  cut: [
    'drops what the leased peer sends, v4 and v6',
    z.object({
      during: z.object({ ...all, peer4: silent, peer6: silent }),
      matched: z.int().min(20),
      ...healed,
    }),
  ],
  larger_than_bytes: [
    'drops only the large packets of the leased peer',
    z.object({
      during: z.object({
        small4: z.literal(10),
        big4: z.literal(0),
        small6: z.literal(10),
        big6: z.literal(0),
        other: z.literal(10),
      }),
      ...healed,
    }),
  ],
  renewal: [
    'holds a shape for as long as it is renewed',
    z.object({ slow: z.literal(true), lost: z.tuple([]), ...healed }),
  ],
  expiry: [
    'ends a shape by itself after SIGKILL, and the commands of its timers take the rest away',
    z.object({
      answer: z.literal(true),
      slow: z.literal(true),
      endedAfterMs: z.number().min(3_000).max(11_000),
      left: z.tuple([z.object({ in_force: z.literal(false) }), z.object({ in_force: z.literal(false) })]),
      clean,
      found: z.tuple([]),
    }),
  ],
  foreign_root: [
    'refuses a root qdisc that somebody configured, whatever its kind, and leaves it as it is',
    z.object({ told: z.record(z.string(), refused).refine((told) => Object.keys(told).length === 6), clean }),
  ],
  kernel_defaults: [
    'gives the kernel its default qdisc back, of one queue and of several',
    z.object({ found: z.object({ many0: ofDefault('mq 0'), one0: ofDefault('fq_codel 0') }), clean }),
  ],
  doctor: [
    'is healed of a shape of another run',
    z.object({
      found: z.tuple([z.string(), z.string()]),
      remaining: z.tuple([]),
      clean,
      slow: z.literal(false),
    }),
  ],
  dead_man: [
    `has nothing in force within 5 s of the lease's end after ${DEATHS} deaths (seed ${SEED})`,
    z.object({
      trials: z
        .array(z.object({ endedAfterMs: z.number().max(8_000), slow: z.literal(false), clean }))
        .length(DEATHS),
    }),
  ],
  lab_links: [
    'carries the links of a lab: a delay for one sender, all figures together, and nothing for the others',
    z.object({
      during: z.object({ ...all, peer4: delayed, peer6: delayed }),
      varied: z.object({
        peer4: z.object({ answered: z.int().min(5) }),
        peer6: z.object({ answered: z.int().min(5) }),
        other4: delayed,
        other6: delayed,
      }),
      clean,
    }),
  ],
} as const satisfies Readonly<Record<string, readonly [string, z.ZodType]>>;

const missing = missingForBoot();
const known = missing === null && !IS_REQUIRED ? await fetchedKernel(CACHE) : null;
const reason = missing ?? (known === null ? 'no kernel here yet; npm run test:kernel fetches one' : null);
const isSkipped = !IS_REQUIRED && reason !== null;

describe.skipIf(isSkipped)(
  `Debian's kernel, in a virtual machine${isSkipped ? ` (skipped: ${reason})` : ''}`,
  () => {
    let checked: ReadonlyMap<string, Checked>;

    beforeAll(async () => {
      if (missing !== null) throw new Error(`no virtual machine can be booted: ${missing}`);
      const kernel: Kernel = known ?? (await debianKernel(CACHE));
      checked = await tryKernel(kernel, CACHE, { deaths: DEATHS, seed: SEED });
    }, BUDGET_MS);

    it.for(Object.entries(EXPECTED).map(([check, [does, expected]]) => ({ check, does, expected })))(
      '$does',
      ({ check, expected }) => {
        const figures = checked.get(check)?.figures;
        const parsed = expected.safeParse(figures);
        expect(
          parsed.success,
          `${parsed.error && z.prettifyError(parsed.error)}\n${JSON.stringify(figures)}`,
        ).toBe(true);
      },
    );

    it('has made no check that nothing is expected of', () => {
      expect([...checked.keys()]).toEqual(Object.keys(EXPECTED));
    });
  },
);
