import pino from 'pino';
import { realClock } from '../../../kit/clock.ts';
import { sha256Hex } from '../../../kit/hash.ts';
import type { Random } from '../../../kit/random.ts';
import type { Signing } from '../../../kit/signing.ts';
import type { Identity } from '../../../node/transport/hello-exchange.ts';
import { garbageLife } from './garbage.ts';
import { type Life, type Outsider, pause, type Tally } from './life.ts';
import { linkedLife } from './linked-life.ts';

/** Keys cost nothing, so an outsider that is banned comes back as somebody else; not oftener than this. */
const LIFE_MIN_MS = 1_000;

/** Attacks until `signal` aborts, with a new identity whenever the old one is used up. */
export async function attack(
  outsider: Outsider,
  { signing, random, tally }: { signing: Signing; random: Random; tally: Tally },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const startedMs = realClock.nowMs();
    const modules = {
      machine: await freshIdentity(signing),
      agent: await freshIdentity(signing),
      signing,
      clock: realClock,
      log: pino({ level: 'silent' }),
    };
    const life: Life = { outsider, modules, random, tally };
    await (outsider.kind === 'garbage' ? garbageLife(life, signal) : linkedLife(life, signal));
    await pause(Math.max(0, startedMs + LIFE_MIN_MS - realClock.nowMs()), signal);
  }
}

async function freshIdentity(signing: Signing): Promise<Identity> {
  const signer = await signing.signer(signing.freshSeed());
  const { publicKey } = signer;
  return { id: sha256Hex(publicKey), publicKey, sign: (message) => signer.sign(message) };
}
