import { type Finding, VERDICTS, type Verdict, type VerdictWord } from '../proofs/evidence.ts';

const MAX_EXAMPLES = 4;

/** The worst of several verdicts, GO < INCONCLUSIVE < NO-GO. Nothing judged is INCONCLUSIVE, never GO. */
export function worstOf(words: readonly VerdictWord[]): VerdictWord {
  return VERDICTS.findLast((word) => words.includes(word)) ?? 'INCONCLUSIVE';
}

function placeOf({ window, scenario, reason }: Finding): string {
  if (window === null || reason.includes(`window ${window}`)) return reason;
  return `${reason} (${['window', window, scenario].filter((part) => part !== null).join(' ')})`;
}

/**
 * Why findings are not GO: NO-GO first, grouped by objective in the order of the gate, a few examples of each and a
 * count of the rest. The findings themselves hold all of it.
 */
function reasonsOf(findings: readonly Finding[]): string[] {
  return (['NO-GO', 'INCONCLUSIVE'] as const).flatMap((verdict) => {
    const groups = Map.groupBy(
      findings.filter((finding) => finding.verdict === verdict),
      (finding) => finding.objective,
    );
    return [...groups].flatMap(([objective, group]) => {
      const more = group.length - MAX_EXAMPLES;
      const examples = group.slice(0, MAX_EXAMPLES).map((one) => `${verdict} ${objective}: ${placeOf(one)}`);
      return more > 0 ? [...examples, `${verdict} ${objective}: and ${more} more findings`] : examples;
    });
  });
}

/**
 * Combines findings: a window is the worst of its own findings, the soak the worst of all of them, so that it is GO
 * only when every planned window and every soak objective is.
 */
export function combine(
  findings: readonly Finding[],
  windows: readonly number[],
): Pick<Verdict, 'overall' | 'windows' | 'reasons'> {
  const byWindow = Map.groupBy(findings, (finding) => finding.window);
  return {
    overall: worstOf(findings.map((finding) => finding.verdict)),
    windows: windows.map((window) => {
      const own = byWindow.get(window) ?? [];
      return { window, verdict: worstOf(own.map((finding) => finding.verdict)), reasons: reasonsOf(own) };
    }),
    reasons: reasonsOf(findings),
  };
}
