import { type Finding, VERDICTS, type Verdict, type VerdictWord } from '../evidence.ts';

/** One objective of the gate over all places where it was judged. */
export interface ObjectiveFacts {
  readonly objective: string;
  readonly verdict: VerdictWord;
  readonly findings: number;
  readonly notGo: number;
  /** The worst finding: worst verdict first, then the smallest margin. */
  readonly worst: Finding;
}

const severity = (word: VerdictWord) => VERDICTS.indexOf(word);
/** Without a margin nothing was seen: the worst there is, unless it was left out on purpose. */
const marginOf = ({ margin, verdict }: Finding) =>
  margin ?? (verdict === 'GO' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);

/** The findings of a verdict grouped by objective, in the verdict's order. */
export function objectiveFacts(verdict: Verdict): readonly ObjectiveFacts[] {
  const byObjective = Map.groupBy(verdict.findings, ({ objective }) => objective);
  return [...byObjective].map(([objective, findings]) => {
    const worst = findings.reduce((least, finding) => {
      const worse =
        severity(finding.verdict) - severity(least.verdict) || marginOf(least) - marginOf(finding);
      return worse > 0 ? finding : least;
    });
    return {
      objective,
      verdict: worst.verdict,
      findings: findings.length,
      notGo: findings.filter((finding) => finding.verdict !== 'GO').length,
      worst,
    };
  });
}
