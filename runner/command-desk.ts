import type { Logger } from 'pino';
import type { Clock } from '../kit/clock.ts';
import { codeOf, MeshproofError, messageOf } from '../kit/errors.ts';
import type { Signing } from '../kit/signing.ts';
import type { Action, ActionCall } from './action.ts';
import { type Operators, openCommand, type Refusal, type RefusalCode } from './command-envelope.ts';
import type { CommandLog } from './command-log.ts';
import type { Command } from './protocol.ts';
import type { Reporter } from './reporter.ts';

const RUNNING_MAX = 512;
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

export type Reception = { readonly received: 'accepted' | 'duplicate'; readonly command: Command } | Refusal;

interface DeskModules {
  readonly operators: Operators;
  readonly signing: Pick<Signing, 'verify'>;
  readonly commands: CommandLog;
  readonly actions: ReadonlyMap<string, Action>;
  readonly reporter: Pick<Reporter, 'report'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The one door for commands, however they came: checks the signature, takes each id once, and executes. A refused
 * command is counted by reason and logged, and leaves no other trace.
 */
export class CommandDesk {
  readonly #nodeName: string;
  readonly #modules: DeskModules;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #refusals = new Map<RefusalCode, number>();
  #executed = 0;
  #duplicates = 0;

  constructor(nodeName: string, modules: DeskModules) {
    this.#nodeName = nodeName;
    this.#modules = modules;
  }

  stats() {
    return {
      executed: this.#executed,
      running: this.#running.size,
      duplicates: this.#duplicates,
      refused: Object.fromEntries(this.#refusals),
    };
  }

  /** Takes one envelope. `anchorOf` says where results go by direct message, once the command is known to be genuine. */
  async receive(envelope: string, anchorOf: (command: Command) => string | null): Promise<Reception> {
    const { operators, signing, clock } = this.#modules;
    const opened = await openCommand(envelope, {
      operators,
      signing,
      nodeName: this.#nodeName,
      nowUnixMs: clock.wallMs(),
    });
    if ('refused' in opened) return this.#refuse(opened);
    const { command } = opened;
    if (this.#running.size >= RUNNING_MAX) {
      return this.#refuse({ refused: 'RUNNER_BUSY', why: `${RUNNING_MAX} commands are running` });
    }
    const admitted = this.#admit(command);
    if (admitted === 'duplicate') {
      this.#duplicates += 1;
      return { received: 'duplicate', command };
    }
    if (admitted !== 'fresh') return this.#refuse(admitted);
    this.#executed += 1;
    const run = this.#run(command, anchorOf(command)).finally(() => this.#running.delete(run));
    this.#running.add(run);
    return { received: 'accepted', command };
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new MeshproofError('RUNNER_STOPPING', 'the runner is stopping'));
    await Promise.allSettled(this.#running);
  }

  #admit({ command_id, expires_at_unix_ms }: Command): 'fresh' | 'duplicate' | Refusal {
    try {
      const now = this.#modules.clock.wallMs();
      const admitted = this.#modules.commands.admit(command_id, expires_at_unix_ms, now);
      return admitted === 'full'
        ? { refused: 'COMMAND_LOG_FULL', why: 'too many commands within their lifetime' }
        : admitted;
    } catch (error) {
      if (codeOf(error) !== 'COMMAND_LOG_UNWRITABLE') throw error;
      return { refused: 'COMMAND_LOG_UNWRITABLE', why: messageOf(error) };
    }
  }

  #refuse(refusal: Refusal): Refusal {
    this.#refusals.set(refusal.refused, (this.#refusals.get(refusal.refused) ?? 0) + 1);
    this.#modules.log.warn({ code: refusal.refused, why: refusal.why }, 'command refused');
    return refusal;
  }

  async #run(command: Command, replyTo: string | null): Promise<void> {
    const { actions, reporter, log } = this.#modules;
    const wanted = command.params.request_id;
    const requestId = typeof wanted === 'string' && REQUEST_ID.test(wanted) ? wanted : null;
    const report: ActionCall['report'] = (kind, details, { outcome = 'ok', digestMarker } = {}) => {
      const base = { kind, commandId: command.command_id, requestId, outcome, details, replyTo };
      reporter.report(digestMarker === undefined ? base : { ...base, digestMarker });
    };
    const fail = (code: string, error: string) => report('error', {}, { outcome: { error, code } });
    const chosen = actions.get(command.action);
    if (!chosen) return fail('ACTION_UNKNOWN', `this runner has no action ${command.action}`);
    try {
      await chosen.execute(command.params, { command, requestId, signal: this.#stopping.signal, report });
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      log.error({ action: command.action, code: codeOf(error), why: messageOf(error) }, 'action failed');
      fail(codeOf(error), messageOf(error));
    }
  }
}
