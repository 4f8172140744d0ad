import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { FaultError } from '../kit/errors.ts';

/** Commands whose ids are remembered at once; their lifetime of ten minutes makes that about 27 a second. */
const ENTRIES_MAX = 16_384;

/**
 * Remembers which command ids were taken until each has expired, on disk too, so that a command is executed at most
 * once even by a runner that was restarted in between. The line is written before the command runs. A full log takes
 * no more commands: forgetting an id early would let its command run twice.
 */
export class CommandLog {
  readonly #path: string;
  readonly #max: number;
  readonly #expiresById = new Map<string, number>();
  #linesOnDisk = 0;

  private constructor(path: string, max: number) {
    this.#path = path;
    this.#max = max;
  }

  /**
   * Reads what an earlier process left at `path`.
   * @throws FaultError `COMMAND_LOG_UNREADABLE` when it is damaged or cannot be read or written
   */
  static open(path: string, nowUnixMs: number, max = ENTRIES_MAX): CommandLog {
    const log = new CommandLog(path, max);
    try {
      if (existsSync(path)) log.#load(readFileSync(path, 'utf8'));
      log.#compact(nowUnixMs);
    } catch (error) {
      if (error instanceof FaultError) throw error;
      throw new FaultError('COMMAND_LOG_UNREADABLE', `cannot use the command log ${path}`, {
        details: { path },
        cause: error,
      });
    }
    return log;
  }

  get size(): number {
    return this.#expiresById.size;
  }

  /**
   * Takes `id` for execution, once.
   * @throws FaultError `COMMAND_LOG_UNWRITABLE`; the id is then not taken
   */
  admit(id: string, expiresAtUnixMs: number, nowUnixMs: number): 'fresh' | 'duplicate' | 'full' {
    if (this.#expiresById.has(id)) return 'duplicate';
    try {
      if (this.#expiresById.size >= this.#max || this.#linesOnDisk >= 2 * this.#max) this.#compact(nowUnixMs);
      if (this.#expiresById.size >= this.#max) return 'full';
      appendFileSync(this.#path, `${expiresAtUnixMs} ${id}\n`, { mode: 0o600 });
    } catch (error) {
      this.#linesOnDisk = 2 * this.#max; // the line may be torn: the next try writes the file anew
      throw new FaultError('COMMAND_LOG_UNWRITABLE', `cannot write the command log ${this.#path}`, {
        details: { path: this.#path },
        cause: error,
      });
    }
    this.#linesOnDisk += 1;
    this.#expiresById.set(id, expiresAtUnixMs);
    return 'fresh';
  }

  #load(text: string): void {
    const lines = text.split('\n');
    lines.pop(); // empty, or torn: then its command was never begun
    for (const [index, line] of lines.entries()) {
      const match = /^(\d{1,16}) ([A-Za-z0-9._:-]{1,128})$/.exec(line);
      if (!match?.[1] || !match[2]) {
        throw new FaultError(
          'COMMAND_LOG_UNREADABLE',
          `${this.#path}:${index + 1}: not a command log entry; remove the file once no signed command can still be valid (10 minutes)`,
          { details: { path: this.#path, line: index + 1 } },
        );
      }
      this.#expiresById.set(match[2], Number(match[1]));
    }
  }

  #compact(nowUnixMs: number): void {
    for (const [id, expiresAt] of this.#expiresById) if (expiresAt <= nowUnixMs) this.#expiresById.delete(id);
    const lines = [...this.#expiresById].map(([id, expiresAt]) => `${expiresAt} ${id}\n`);
    const fresh = `${this.#path}.new`;
    writeFileSync(fresh, lines.join(''), { mode: 0o600 });
    renameSync(fresh, this.#path);
    this.#linesOnDisk = lines.length;
  }
}
