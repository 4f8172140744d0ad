import { printable } from './printable.ts';
import type { ReportModel } from './report-model.ts';
import type { Cell, Section, Table, Tone } from './section.ts';
import { sectionsOf } from './sections.ts';

const MAX_BULLETS = 60;
const MARKS: Readonly<Record<Tone, string>> = { plain: '', good: '', bad: '✗ ', unsure: '? ' };

/** Text from nodes and operators as Markdown that shows it literally, on one line. */
function escaped(text: string): string {
  return printable(text)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/[\\`*[\]|]/g, '\\$&');
}

const cellText = ({ text, tone }: Cell) => `${MARKS[tone]}${escaped(text)}`;
const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

function tableLines({ labels, head, rows }: Table): string[] {
  return [
    row(head.map(escaped)),
    row(head.map((_, at) => (at < labels ? ':--' : '--:'))),
    ...rows.map((cells) => row(cells.map(cellText))),
    '',
  ];
}

function sectionLines({ title, lines, table, bullets }: Section, level: '#' | '##'): string[] {
  const shown = bullets.slice(0, MAX_BULLETS).map((bullet) => `- ${escaped(bullet)}`);
  const more = bullets.length - shown.length;
  if (more > 0) shown.push(`- … and ${more} more in summary.json`);
  return [
    `${level} ${escaped(title)}`,
    '',
    ...lines.flatMap((line) => [escaped(line), '']),
    ...(table ? tableLines(table) : []),
    ...(shown.length > 0 ? [...shown, ''] : []),
  ];
}

function againLines({ run, verdict }: ReportModel): string[] {
  return [
    '## Judge it again',
    '',
    'The verdict is a function of the files in this directory and the gate. It can be made again at any time:',
    '',
    '```sh',
    'meshproof gate check .                    # by the gate that the run was sealed with',
    'meshproof gate check . --gate broad-launch # by another',
    'meshproof proof show .                    # this report on a terminal',
    '```',
    '',
    `Plan SHA-256 \`${run.planSha256}\`, gate SHA-256 \`${verdict.gate_sha256}\`, ${run.records} records in \`journal.ndjson\`.`,
    'Per window, scenario and node: `summary.csv`. Per window: `timeline.csv`. Everything for machines: `summary.json`.',
    'MISSING and `?` mean that it was not seen; neither ever counts as 0.',
    '',
  ];
}

/** `summary.md`: the report for a person, the verdict first. */
export function renderSummaryMarkdown(model: ReportModel): string {
  const [verdict, ...others] = sectionsOf(model);
  return [
    ...(verdict ? sectionLines(verdict, '#') : []),
    ...others.flatMap((section) => sectionLines(section, '##')),
    ...againLines(model),
  ].join('\n');
}
