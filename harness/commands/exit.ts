import type { ExitCode } from '../run/exit-code.ts';

/** Tells the process how it is to end once everything is written. */
export type Exit = (code: ExitCode) => void;
