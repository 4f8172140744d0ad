/** Tells the process how it is to end once everything is written: with a published code, or a program's own. */
export type Exit = (code: number) => void;
