import type { DocumentName } from '../proofs/evidence.ts';
import type { Reading } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Measure, Scope } from './gate-schema.ts';

/** One place that an objective is judged at, with everything that was read there. */
export interface Cell {
  readonly subject: string;
  readonly window: number | null;
  readonly scenario: string | null;
  /** Nodes whose required documents must be seen. */
  readonly nodes: readonly string[];
  readonly readings: readonly Reading[];
  /** Why some of it, or all when there are no readings, is left out on purpose; left out itself when nothing is. */
  readonly exempt?: string;
}

/** What is asked of a metric: where to look, and in which planned scenarios. */
export interface Question {
  readonly scope: Scope;
  readonly scenarios: readonly string[];
  /** Whether the objective exempts `node` there, as the target of a fault; `scenario` null asks for the whole window. */
  isExempt(node: string, window: number, scenario: string | null): boolean;
}

/** A named figure that objectives can limit. */
export interface Metric {
  readonly name: string;
  readonly measure: Measure;
  readonly scopes: readonly Scope[];
  /** Documents that it cannot be read without. */
  readonly documents: readonly DocumentName[];
  /** `named`: only certain scenarios produce it, so an objective must name them; `any` otherwise. */
  readonly scenarios: 'any' | 'named';
  /** The one scenario that records it. */
  readonly onlyIn?: string;
  /** Whether it heeds `Question.isExempt`. */
  readonly exempts?: 'targets';
  /** What a broken limit means: `NO-GO`, or `INCONCLUSIVE` for a figure that only says how much was not seen. */
  readonly broken?: 'NO-GO' | 'INCONCLUSIVE';
  cells(index: EvidenceIndex, question: Question): readonly Cell[];
}

/** Every planned window with every asked scenario. */
export function spansOf(index: EvidenceIndex, scenarios: readonly string[]) {
  return index.windows.flatMap((window) => scenarios.map((scenario) => ({ window, scenario })));
}
