import type { Command, Result } from '../../runner/protocol.ts';

/** A runner's result, with who brought it. Results whose sender is not the planned agent never get this far. */
export type RunnerResult = Result & {
  readonly sender: {
    readonly agent_id: string;
    readonly machine_id: string;
    /** Always true for what is passed on; evidence keeps it. */
    readonly verified: boolean;
  };
};

/** A runner of the sealed plan: its node's name and the identity that its results must come from. */
export interface ControlTarget {
  readonly node: string;
  readonly agentId: string;
  readonly machineId: string;
}

export interface WaitOptions {
  readonly budgetMs: number;
  readonly signal?: AbortSignal;
}

/** What the control plane saw of one runner. Anything but zeros is worth a record. */
export interface ControlTally {
  results: number;
  /** Results from someone else than the planned agent, or not verified; ignored. */
  forged: number;
  /** Copies of a result that was already passed on; ignored. */
  doubled: number;
  /** Results that the runner had and this harness can never have. */
  lost: number;
  /** Answers or messages that could not be read. */
  malformed: number;
  /** Times that the way to the runner broke and was opened again. */
  reconnects: number;
  /** Runner processes seen beyond the first. */
  restarts: number;
}

/**
 * The harness's way to the runners. A command is signed, has a life of its budget, and is executed at most once per
 * id, so that sending it again is safe. Failures here are `ControlError`s: they are never a node's.
 */
export interface ControlChannel {
  /**
   * Resolves when the runner (over the mesh: its node) has taken the command; gives the command's id.
   * @throws ControlError `COMMAND_DISPATCH_FAILED`, `COMMAND_REFUSED`, `NODE_UNKNOWN`, `CONTROL_CLOSED`
   */
  send(
    node: string,
    action: string,
    params: Command['params'],
    options: WaitOptions & { readonly commandId?: string },
  ): Promise<string>;
  /**
   * Sends and waits for the command's final result, of kind `error` included; what comes before it (`collect_ready`)
   * goes to `onProgress`. The budget covers both.
   * @throws ControlError as `send`, and `RESULT_TIMEOUT`
   */
  call(
    node: string,
    action: string,
    params: Command['params'],
    options: WaitOptions & { readonly onProgress?: (result: RunnerResult) => void },
  ): Promise<RunnerResult>;
  /** Calls back for every genuine result, once; gives a function that stops it. */
  onResult(listener: (result: RunnerResult) => void): () => void;
  tally(): ReadonlyMap<string, Readonly<ControlTally>>;
  close(): Promise<void>;
}

/** A fresh command id. */
export function newCommandId(): string {
  return crypto.randomUUID();
}
