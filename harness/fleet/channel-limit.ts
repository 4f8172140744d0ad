import { HostError } from './host-error.ts';

/** `exec`: a command that ends; `session`: a program that stays; `tunnel`: a TCP connection through the host. */
export type ChannelKind = 'exec' | 'session' | 'tunnel';

/** sshd takes ten sessions per connection (`MaxSessions`), counting those whose process has yet to end. */
export const MAX_CHANNELS = 6;
const MAX_OF_KIND = { exec: 4, session: 2, tunnel: 4 } as const satisfies Record<ChannelKind, number>;
/** What stays open must leave a channel to commands, or a fault could not be reverted. */
const MAX_LASTING = MAX_CHANNELS - 1;
const MAX_WAITING = 1_024;

interface Waiter {
  readonly kind: ChannelKind;
  readonly start: () => void;
}

/**
 * Shares the channels of one connection. First come first served, except that who waits for its own kind's share is
 * passed by the others.
 */
export class ChannelLimit {
  readonly #host: string;
  readonly #open: Record<ChannelKind, number> = { exec: 0, session: 0, tunnel: 0 };
  readonly #waiting: Waiter[] = [];
  /** The most channels that were open at once. */
  highWater = 0;

  constructor(host: string) {
    this.#host = host;
  }

  get open(): number {
    return this.#open.exec + this.#open.session + this.#open.tunnel;
  }

  /**
   * Waits for a channel of this kind; the function that it gives returns it, once.
   * @throws HostError `HOST_BUSY` when too many wait already; the reason of `signal` when that aborts first
   */
  async take(kind: ChannelKind, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#isFree(kind) && !this.#waiting.some((waiter) => waiter.kind === kind)) return this.#grant(kind);
    if (this.#waiting.length >= MAX_WAITING) {
      throw new HostError('HOST_BUSY', this.#host, `${MAX_WAITING} calls wait for a channel already`);
    }
    return await new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        kind,
        start: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(this.#grant(kind));
        },
      };
      this.#waiting.push(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #isFree(kind: ChannelKind): boolean {
    if (this.open >= MAX_CHANNELS || this.#open[kind] >= MAX_OF_KIND[kind]) return false;
    return kind === 'exec' || this.#open.session + this.#open.tunnel < MAX_LASTING;
  }

  #grant(kind: ChannelKind): () => void {
    this.#open[kind] += 1;
    this.highWater = Math.max(this.highWater, this.open);
    let returned = false;
    return () => {
      if (returned) return;
      returned = true;
      this.#open[kind] -= 1;
      this.#wakeOne();
    };
  }

  #wakeOne(): void {
    const at = this.#waiting.findIndex(({ kind }) => this.#isFree(kind));
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.start();
  }
}
