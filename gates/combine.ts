import { type Finding, VERDICTS, type Verdict, type VerdictWord } from '../proofs/evidence.ts';

const MAX_PLACES = 4;
const MAX_NAMES = 6;
const MAX_OBJECTIVES = 2;

/** The worst of several verdicts, GO < INCONCLUSIVE < NO-GO. Nothing judged is INCONCLUSIVE, never GO. */
export function worstOf(words: readonly VerdictWord[]): VerdictWord {
  return VERDICTS.findLast((word) => words.includes(word)) ?? 'INCONCLUSIVE';
}

/** `node1: 210, limit at most 200 (window 1 fanout_burst); also node2, node4`: the worst of one place in full. */
function placeText(here: readonly Finding[]): string {
  const marginOf = ({ margin }: Finding) => margin ?? Number.POSITIVE_INFINITY;
  const worst = here.reduce((least, one) => (marginOf(one) < marginOf(least) ? one : least));
  const { window, scenario, reason } = worst;
  const place = ['window', window, scenario].filter((part) => part !== null).join(' ');
  const isTold = window === null || reason.includes(`window ${window}`);
  const also = here.filter((one) => one !== worst).map(({ subject }) => subject);
  const more = also.length - MAX_NAMES;
  const names = [...also.slice(0, MAX_NAMES), ...(more > 0 ? [`${more} more`] : [])].join(', ');
  return `${reason}${isTold ? '' : ` (${place})`}${also.length === 0 ? '' : `; also ${names}`}`;
}

/** A few names and a count of the rest: `a, b and 3 more objectives`. */
function namesText(objectives: readonly string[]): string {
  const more = objectives.length - MAX_OBJECTIVES;
  if (more <= 0) return objectives.join(', ');
  return `${objectives.slice(0, MAX_OBJECTIVES).join(', ')} and ${more} more objectives`;
}

/**
 * Why findings are not GO: NO-GO first, in the order of the gate. One line for each of a few places of an objective, with
 * its worst finding and the names of the others there, and a count of the rest; objectives that say the same share it. The
 * findings themselves hold all of it.
 */
function reasonsOf(findings: readonly Finding[]): string[] {
  return (['NO-GO', 'INCONCLUSIVE'] as const).flatMap((verdict) => {
    const broken = findings.filter((finding) => finding.verdict === verdict);
    const said = [...Map.groupBy(broken, ({ objective }) => objective)].flatMap(([objective, group]) => {
      const places = [...Map.groupBy(group, ({ window, scenario }) => JSON.stringify([window, scenario]))];
      const lines = places.slice(0, MAX_PLACES).map(([, here]) => ({ objective, text: placeText(here) }));
      const more = places.slice(MAX_PLACES).reduce((sum, [, here]) => sum + here.length, 0);
      return more > 0 ? [...lines, { objective, text: `and ${more} more` }] : lines;
    });
    return [...Map.groupBy(said, ({ text }) => text)].map(
      ([text, alike]) => `${verdict} ${namesText(alike.map(({ objective }) => objective))}: ${text}`,
    );
  });
}

/**
 * Combines findings: a window is the worst of its own findings, the soak the worst of all of them, so that it is GO
 * only when every planned window and every soak objective is.
 * @param told findings that others tell already: they count, and the reasons leave them out
 */
export function combine(
  findings: readonly Finding[],
  windows: readonly number[],
  told: ReadonlySet<Finding>,
): Pick<Verdict, 'overall' | 'windows' | 'reasons'> {
  const byWindow = Map.groupBy(findings, (finding) => finding.window);
  const reasons = (of: readonly Finding[]) => reasonsOf(of.filter((finding) => !told.has(finding)));
  return {
    overall: worstOf(findings.map((finding) => finding.verdict)),
    windows: windows.map((window) => {
      const own = byWindow.get(window) ?? [];
      return { window, verdict: worstOf(own.map((finding) => finding.verdict)), reasons: reasons(own) };
    }),
    reasons: reasons(findings),
  };
}
