/** How a command that changes hosts is asked to end before its time. */
export interface Interrupts {
  /** Aborts when it is asked: nothing further is begun; what is in hand is still verified, or taken back. */
  readonly signal: AbortSignal;
  /** Aborts when it is asked again: what is in hand is left as it is. */
  readonly abandon: AbortSignal;
}
