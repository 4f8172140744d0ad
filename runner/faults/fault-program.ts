import { existsSync } from 'node:fs';
import type * as z from 'zod';
import { type Clock, realClock } from '../../kit/clock.ts';
import { FaultError, UsageError } from '../../kit/errors.ts';
import { findCapabilities } from './capabilities.ts';
import { FaultDesk } from './fault-desk.ts';
import { Intents } from './intents.ts';
import { NetworkFaults } from './network-fault.ts';
import { probeAddress } from './probe.ts';
import { ProcessFaults } from './process-fault.ts';
import { FAULT_OPERATIONS, type FaultOperation, type FaultRequest, type FaultResult } from './protocol.ts';
import { type RunCommand, runCommand } from './run-command.ts';
import { UndoTimers } from './undo-timers.ts';
import { type ReadProcessLetter, readProcessLetter } from './unit-state.ts';

/** The host under the program; tests put their own in its place. */
export interface FaultHost {
  readonly run: RunCommand;
  readonly readLetter: ReadProcessLetter;
  readonly clock: Clock;
  readonly uid: number;
  readonly hasSystemd: boolean;
  readonly directory: string;
  /** Where the SSH session comes from that started the program. */
  readonly controlAddress: string | null;
}

/** The real host. `MESHPROOF_FAULTS_DIR` and `MESHPROOF_FAULTS_SYSTEMD` move its two directories, for tests. */
export function thisHost(env: NodeJS.ProcessEnv): FaultHost {
  return {
    run: runCommand,
    readLetter: readProcessLetter,
    clock: realClock,
    uid: process.getuid?.() ?? -1,
    hasSystemd: existsSync(env.MESHPROOF_FAULTS_SYSTEMD ?? '/run/systemd/system'), // as sd_booted(3) tells
    directory: env.MESHPROOF_FAULTS_DIR ?? '/run/meshproof/faults',
    controlAddress: env.SSH_CONNECTION?.split(/[ %]/)[0] || null, // sudo strips it unless told to keep it
  };
}

type Handlers = {
  readonly [Op in FaultOperation]: (
    request: FaultRequest<Op>,
    signal?: AbortSignal,
  ) => Promise<FaultResult<Op>>;
};

/** Operations that need no root: they look at one process, or at nothing of this host. */
const FOR_ANYONE: readonly FaultOperation[] = ['capabilities', 'probe', 'process'];

/** Answers requests on this host; `main.ts` and `serve.ts` bring them in. */
export class FaultProgram {
  readonly #handlers: Handlers;
  readonly #uid: number;

  constructor({ run, readLetter, clock, uid, hasSystemd, directory, controlAddress }: FaultHost) {
    const processes = new ProcessFaults({ run, readLetter, clock });
    const desk = new FaultDesk({
      intents: new Intents(directory),
      network: new NetworkFaults(run),
      processes,
      timers: hasSystemd ? new UndoTimers(run) : null,
      clock,
      controlAddress,
    });
    this.#uid = uid;
    this.#handlers = {
      capabilities: ({ units }) => findCapabilities({ run, processes, hasSystemd, uid }, units),
      apply: ({ lease }) => desk.apply(lease),
      renew: (request) => desk.renew(request),
      revert: (request) => desk.revert(request),
      list: async () => ({ standing: [...(await desk.standing())] }),
      doctor: async ({ heal }) => {
        if (heal) return await desk.heal();
        const found = [...(await desk.standing())];
        return { found, remaining: found };
      },
      counters: (request) => desk.counters(request),
      probe: (request, signal) => probeAddress(request, clock, signal),
      process: async ({ unit }) => {
        const { state, pid } = await processes.state(unit);
        return { state, pid };
      },
      restart: async ({ unit }, signal) => {
        const startMs = clock.nowMs();
        return { pid: await processes.restart(unit, signal), took_ms: Math.round(clock.nowMs() - startMs) };
      },
    };
  }

  /**
   * @throws UsageError `BAD_REQUEST` naming the field, its value and what was expected
   * @throws FaultError `NOT_ROOT`, and what the operation itself throws
   */
  async handle<Op extends FaultOperation>(
    op: Op,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<FaultResult<Op>> {
    const request = parseRequest(op, body);
    if (this.#uid !== 0 && !FOR_ANYONE.includes(op)) {
      throw new FaultError('NOT_ROOT', `${op} needs root; the fault program runs as user ${this.#uid}`);
    }
    return await this.#handlers[op](request, signal);
  }
}

/** @throws UsageError `BAD_REQUEST` */
export function parseRequest<Op extends FaultOperation>(op: Op, body: unknown): FaultRequest<Op> {
  const schema: z.ZodType<unknown> = FAULT_OPERATIONS[op].request;
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data as FaultRequest<Op>; // the compiler cannot pair schema and operation
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') || 'the request';
  throw new UsageError(
    'BAD_REQUEST',
    `${op}: ${field}: ${issue?.message}; got ${show(valueAt(body, issue?.path ?? []))}`,
    {
      details: { operation: op, field },
    },
  );
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    body,
  );
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 200);
}
