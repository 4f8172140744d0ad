import type { Duplex } from 'node:stream';

/** What a command on a host gave. A command that was killed or lost has no code and is never this: it throws. */
export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Bytes for its standard input; secrets travel here, never as arguments. */
  readonly stdin?: string | Uint8Array;
  readonly budgetMs: number;
  readonly signal: AbortSignal;
  /** As root, through sudo where the user is not root. */
  readonly as?: 'root' | 'user';
}

/** A program on a host that lives as long as its connection does; lines in, lines out. */
export interface HostSession extends AsyncDisposable {
  /** Writes one line. */
  send(line: string): void;
  readonly lines: AsyncIterable<string>;
  /** Resolves when it ended; `code` is null when the connection was lost. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
}

/**
 * One machine, reached over one connection. Every call has a deadline; what goes wrong between here and there is a
 * `HostError` (control plane), which is never a node's failure: `HOST_UNREACHABLE`, `HOST_KEY_UNKNOWN`,
 * `HOST_KEY_CHANGED`, `HOST_AUTH`, `HOST_TIMEOUT`, `HOST_LOST`, `HOST_SUDO`.
 */
export interface Host {
  readonly name: string;
  /** Runs `argv` without a shell in between: each argument arrives as it is. */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  session(argv: readonly string[], options: Pick<ExecOptions, 'signal' | 'as'>): Promise<HostSession>;
  /** Writes a file whole or not at all, with `mode`; its bytes are verified on the far side. */
  writeFile(
    path: string,
    content: Uint8Array | { readonly file: string },
    options: {
      readonly mode: number;
      readonly as?: 'root' | 'user';
      readonly budgetMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<void>;
  /** A connection to a TCP port on the host's loopback, through the SSH connection. */
  connect(port: number, signal: AbortSignal): Promise<Duplex>;
  close(): Promise<void>;
}
