import type { Clock } from '../../kit/clock.ts';
import { encodeControl } from './control-frame.ts';
import { rewriteHeader } from './eager-frame.ts';
import type { GossipEffect } from './gossip-effect.ts';
import type { Outbound } from './outbound.ts';
import type { PlumTree } from './plumtree.ts';
import { StageTiming } from './stage-timing.ts';

interface CoreDriverModules {
  readonly core: PlumTree;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

/** Turns the core's effects into frames and its deadlines into one timer, which exists only while something is due. */
export class CoreDriver {
  readonly #modules: CoreDriverModules;
  readonly fanout = new StageTiming();
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(modules: CoreDriverModules) {
    this.#modules = modules;
  }

  /** Carries out `effects`; gives how many peers were handed a pushed message. */
  run(effects: readonly GossipEffect[]): number {
    const { core, outbound, clock } = this.#modules;
    let handed = 0;
    for (const effect of effects) {
      if (effect.type === 'push') {
        const startedMs = clock.nowMs();
        for (const peer of effect.peers) {
          if (outbound.sendEager(peer, effect.message, effect.message.frame)) handed += 1;
          else core.notSent(peer, effect.message, startedMs);
        }
        this.fanout.record(clock.nowMs() - startedMs);
      } else if (effect.type === 'reply') {
        const { message, peer } = effect;
        const nowMs = clock.nowMs();
        const header = { hops: message.hops + 1, ageMs: nowMs - message.bornAtMs };
        const isSent = outbound.sendEager(peer, message, rewriteHeader(message.frame, header));
        if (!isSent) core.notSent(peer, message, nowMs);
      } else {
        outbound.sendControl(effect.peer, encodeControl(effect.frame));
      }
    }
    this.#arm();
    return handed;
  }

  /** Looks again at what is due next, after an event without effects. */
  rearm(): void {
    this.#arm();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    const dueMs = this.#modules.core.nextDeadlineMs();
    // A timer that fires early finds nothing due and arms the next one: cheaper than moving it per message.
    if (this.#isClosed || dueMs === undefined || (this.#timer && dueMs >= this.#timerAtMs)) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = dueMs;
    const delayMs = Math.max(1, Math.ceil(dueMs - this.#modules.clock.nowMs()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.run(this.#modules.core.tick(this.#modules.clock.nowMs()));
    }, delayMs);
  }
}
