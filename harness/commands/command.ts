import type { ArgumentsCamelCase, Argv } from 'yargs';

/** Tells the process how it is to end once everything is written: with a published code, or a program's own. */
export type Exit = (code: number) => void;

/** What a command takes and does; its name and what it is for are in the catalogue. */
export interface Command<T = object> {
  readonly builder: (yargs: Argv) => Argv<T>;
  readonly handler: (argv: ArgumentsCamelCase<T>) => void | Promise<void>;
}
