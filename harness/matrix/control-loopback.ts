import type { Pool } from 'undici';
import * as z from 'zod';
import { type Clock, realClock } from '../../kit/clock.ts';
import { codeOf, MeshproofError, messageOf } from '../../kit/errors.ts';
import { type HttpTunnel, httpPool } from '../../kit/http-pool.ts';
import { acceptanceSchema, type ResultPage, refusalSchema, resultPageSchema } from '../../runner/protocol.ts';
import type { ControlChannel, ControlTarget } from './control-channel.ts';
import { type ControlCarrier, DispatchingChannel, type Handover } from './control-dispatch.ts';
import { ControlError } from './control-error.ts';
import { ControlInbox } from './control-inbox.ts';
import type { OperatorKey } from './operator-key.ts';

const POLL_WAIT_MS = 10_000;
const POLL_BUDGET_MS = POLL_WAIT_MS + 5_000;
const HANDOVER_BUDGET_MS = 5_000; // of one try; the command is signed and known by its id, so another is safe
const BACK_OFF_MS = { first: 200, last: 2_000 } as const;
const CONNECTIONS = 16;

/** A runner and its control endpoint as reached from here: directly, or through a tunnel. */
export interface LoopbackTarget extends ControlTarget {
  readonly baseUrl: string;
  readonly token: string;
  readonly tunnel?: HttpTunnel | undefined;
}

/** The default control plane: one HTTP endpoint per runner, one result reader per runner. */
export function openLoopbackControl(
  targets: readonly LoopbackTarget[],
  modules: { readonly operator: OperatorKey; readonly clock?: Clock },
): ControlChannel {
  const inbox = new ControlInbox(targets);
  const carrier = new LoopbackCarrier(targets, inbox, modules.clock ?? realClock);
  carrier.start();
  return new DispatchingChannel({ inbox, carrier, ...modules });
}

class LoopbackCarrier implements ControlCarrier {
  readonly anchorAid = null;
  readonly #inbox: ControlInbox;
  readonly #clock: Clock;
  readonly #byNode: ReadonlyMap<string, { readonly target: LoopbackTarget; readonly pool: Pool }>;
  readonly #closing = new AbortController();
  #readers: readonly Promise<void>[] = [];

  constructor(targets: readonly LoopbackTarget[], inbox: ControlInbox, clock: Clock) {
    this.#inbox = inbox;
    this.#clock = clock;
    this.#byNode = new Map(
      targets.map((target) => [
        target.node,
        { target, pool: httpPool(target.baseUrl, CONNECTIONS, target.tunnel) },
      ]),
    );
  }

  start(): void {
    this.#readers = [...this.#byNode.values()].map(({ target, pool }) => this.#readResults(target, pool));
  }

  async handOver(
    node: string,
    envelope: string,
    { budgetMs, signal }: { budgetMs: number; signal: AbortSignal },
  ): Promise<Handover> {
    const reach = this.#byNode.get(node);
    if (!reach) throw new ControlError('NODE_UNKNOWN', node, 'has no control endpoint');
    try {
      const { status, body } = await exchange(reach.pool, {
        method: 'POST',
        path: '/command',
        token: reach.target.token,
        body: envelope,
        budgetMs: Math.min(budgetMs, HANDOVER_BUDGET_MS),
        signal,
      });
      if (status === 202 || status === 200) {
        acceptanceSchema.parse(body);
        return { taken: true };
      }
      const { code, error } = refusalSchema.parse(body);
      const message = `refused the command: ${code}: ${error}`;
      const refused = new ControlError('COMMAND_REFUSED', node, message, {
        details: { reason: code, status },
      });
      return { retryable: status === 503, error: refused };
    } catch (cause) {
      const message = `the command did not reach the runner: ${messageOf(cause)}`;
      const details = { url: reach.target.baseUrl, reason: codeOf(cause) };
      return {
        retryable: true,
        error: new ControlError('COMMAND_DISPATCH_FAILED', node, message, { details, cause }),
      };
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#readers);
    await Promise.all([...this.#byNode.values()].map(({ pool }) => pool.destroy()));
  }

  async #readResults(target: LoopbackTarget, pool: Pool): Promise<void> {
    const { signal } = this.#closing;
    const tally = this.#inbox.tallyOf(target.node);
    // The endpoint speaks for one node: whoever holds its token is that node's runner.
    const sender = { agent_id: target.agentId, machine_id: target.machineId, verified: true };
    let cursor = { after: 0, bootId: '' };
    let backOffMs: number = BACK_OFF_MS.first;
    let broken = false;
    while (!signal.aborted) {
      try {
        const page = await readPage(pool, target.token, cursor, signal);
        if (broken) tally.reconnects += 1;
        broken = false;
        backOffMs = BACK_OFF_MS.first;
        // A runner may be older than this run: what gave way before its first page was somebody else's.
        if (cursor.bootId !== '') tally.lost += page.missed;
        for (const result of page.results) this.#inbox.take(target, result, sender);
        cursor = { after: page.next_after, bootId: page.boot_id };
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof z.ZodError || error instanceof SyntaxError) tally.malformed += 1;
        broken = true;
        await this.#clock.sleep(backOffMs, signal).catch(() => {}); // an abort ends the loop
        backOffMs = Math.min(backOffMs * 2, BACK_OFF_MS.last);
      }
    }
  }
}

async function readPage(
  pool: Pool,
  token: string,
  { after, bootId }: { readonly after: number; readonly bootId: string },
  signal: AbortSignal,
): Promise<ResultPage> {
  const query = new URLSearchParams({ after: `${after}`, boot_id: bootId, wait_ms: `${POLL_WAIT_MS}` });
  const path = `/results?${query}`;
  const { status, body } = await exchange(pool, {
    method: 'GET',
    path,
    token,
    body: null,
    budgetMs: POLL_BUDGET_MS,
    signal,
  });
  if (status === 200) return resultPageSchema.parse(body);
  throw new MeshproofError('RESULTS_UNREADABLE', `the runner answered ${status}`, { details: { status } });
}

async function exchange(
  pool: Pool,
  call: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly token: string;
    readonly body: string | null;
    readonly budgetMs: number;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly status: number; readonly body: unknown }> {
  const { method, path, token, body, budgetMs, signal } = call;
  const response = await pool.request({
    method,
    path,
    body,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.ceil(budgetMs)))]),
  });
  return { status: response.statusCode, body: await response.body.json() };
}
