import type { PlannedLinks } from '../../proofs/planned-links.ts';
import type { Safety } from '../../proofs/safety-schema.ts';

/** A scenario asked for, with the options that the operator set; the rest are its defaults. */
export interface ScenarioRequest {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What an operator asked for, parsed; everything that shapes a run stands here. */
export interface RunOptions {
  readonly command: readonly string[];
  readonly nodes: readonly { readonly name: string; readonly region: string | null }[];
  readonly anchor: string;
  readonly control: 'loopback' | 'mesh';
  readonly expectPath: string;
  readonly scenarios: readonly ScenarioRequest[];
  /** Null for a single run, which is one window at once. */
  readonly soak: { readonly durationMs: number; readonly intervalMs: number } | null;
  /** The name of a gate that ships with meshproof, or the path of a definition. */
  readonly gate: string;
  readonly proofDir: string | null;
  readonly seed: number | null;
  readonly discoverMs: number;
  readonly telemetryEveryMs: number;
  /** The links that a local mesh is put behind, or the machines of a lab stand behind. */
  readonly links?: PlannedLinks;
  /** What the operator allows to be harmed, and what ends the run; nothing when left out. */
  readonly safety?: Safety;
}
