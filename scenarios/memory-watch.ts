import { isSeen } from '../proofs/observation.ts';
import type { NodeInside } from './mesh-access.ts';
import type { ScenarioContext } from './scenario.ts';

const LOOK_EVERY_MS = 1_000;
const MIB = 1024 * 1024;

/** Looks at nodes again and again until disposed of. */
interface MemoryWatch extends AsyncDisposable {
  /** Ends the looks, and records how much each node grew. */
  measure(): Promise<void>;
}

interface Growth {
  bytes: number;
  /** Why it cannot be told; null when it can. */
  why: string | null;
}

/** Follows the resident memory of every node from now on; `seen` is told of each look. */
export async function watchMemory(
  context: ScenarioContext,
  seen: (node: string, inside: NodeInside) => void = () => {},
): Promise<MemoryWatch> {
  const { mesh, fleet, clock, measure, signal } = context;
  const over = new AbortController();
  const within = AbortSignal.any([signal, over.signal]);
  const follow = async (node: string) => {
    const first = await mesh.inspect(node);
    const growth: Growth = { bytes: 0, why: isSeen(first) ? `${node} was not seen again` : first.why };
    const look = async () => {
      const now = await mesh.inspect(node);
      if (!isSeen(now)) return;
      seen(node, now.seen);
      if (!isSeen(first)) return;
      const isSame = now.seen.epoch.boot_id === first.seen.epoch.boot_id;
      growth.why = isSame ? null : `${node} restarted meanwhile`; // an old process never comes back
      growth.bytes = Math.max(growth.bytes, now.seen.runtime.rss_bytes - first.seen.runtime.rss_bytes);
    };
    const looks = (async () => {
      while (!within.aborted) {
        await clock.sleep(LOOK_EVERY_MS, within).catch(() => {}); // told to stop: one more look
        if (!signal.aborted) await look();
      }
    })();
    looks.catch(() => {}); // awaited when it stops
    return { node, growth, looks };
  };
  const followed = await Promise.all(fleet.nodes.map(follow));
  const stop = async () => {
    over.abort();
    await Promise.all(followed.map(({ looks }) => looks));
  };
  return {
    [Symbol.asyncDispose]: stop,
    async measure() {
      await stop();
      signal.throwIfAborted();
      for (const { node, growth } of followed) {
        const { bytes, why } = growth;
        const figure = why === null ? { value: bytes / MIB } : { value: null, why };
        await measure({ name: 'rss_growth_mib', node, ...figure });
      }
    },
  };
}
