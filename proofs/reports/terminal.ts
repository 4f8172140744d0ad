import { styleText } from 'node:util';
import type { Verdict } from '../evidence.ts';
import type { Proof } from '../read-proof.ts';
import { printable } from './printable.ts';
import { buildReportModel } from './report-model.ts';
import { type Cell, plain, type Section, type Table, type Tone, verdictCell } from './section.ts';
import { sectionsOf } from './sections.ts';

/** How the terminal is: its columns, and whether colour was asked for. */
export interface TerminalStyle {
  readonly width: number;
  readonly colour: 'on' | 'off';
}

const MAX_BULLETS = 12;
const MIN_WIDTH = 40;
const MIN_LABEL_WIDTH = 12;
const GAP = '  ';
const COLOURS = { good: 'green', bad: 'red', unsure: 'yellow' } as const;
const OPTIONAL_SECTIONS = ['Slowest pairs', 'Incidents', 'Not seen', 'Deliveries'];

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function paint(text: string, tone: Tone, { colour }: TerminalStyle): string {
  return colour === 'off' || tone === 'plain'
    ? text
    : styleText(COLOURS[tone], text, { validateStream: false });
}

function bold(text: string, { colour }: TerminalStyle): string {
  return colour === 'off' ? text : styleText('bold', text, { validateStream: false });
}

function dim(text: string, { colour }: TerminalStyle): string {
  return colour === 'off' ? text : styleText('dim', text, { validateStream: false });
}

/** Columns that fit, from the left; the widest label gives way first, then columns fall off the right. */
function columnWidths({ head, rows, labels }: Table, width: number): number[] {
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((cells) => printable(cells[at]?.text ?? '').length)),
  );
  const total = (of: readonly number[]) => of.reduce((sum, one) => sum + one + GAP.length, 0);
  const widest = widths
    .slice(0, labels)
    .reduce((best, one, at) => (one > (widths[best] ?? 0) ? at : best), 0);
  const excess = total(widths) - width;
  const full = widths[widest] ?? 0;
  if (excess > 0) widths[widest] = Math.max(Math.min(full, MIN_LABEL_WIDTH), full - excess);
  while (widths.length > 1 && total(widths) > width) widths.pop();
  return widths;
}

function tableLines(table: Table, style: TerminalStyle): string[] {
  const widths = columnWidths(table, style.width);
  const line = (cells: readonly Cell[]) =>
    GAP +
    widths
      .map((width, at) => {
        const { text, tone } = cells[at] ?? plain('');
        const shown = cut(printable(text), width);
        return paint(at < table.labels ? shown.padEnd(width) : shown.padStart(width), tone, style);
      })
      .join(GAP)
      .trimEnd();
  return [dim(line(table.head.map(plain)), style), ...table.rows.map(line)];
}

/** `text` after `lead` in lines of at most `width` where words allow it; later lines stand below the first word. */
function wrapped(text: string, width: number, lead: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (line !== '' && lead.length + joined.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = joined;
    }
  }
  return [...lines, line].map((each, at) => (at === 0 ? lead : ' '.repeat(lead.length)) + each);
}

function sectionLines(section: Section, style: TerminalStyle): string[] {
  const { lines, table, bullets } = section;
  const more = bullets.length - MAX_BULLETS;
  return [
    ...lines.flatMap((text) => wrapped(text, style.width, GAP)),
    ...(table && table.rows.length > 0 ? tableLines(table, style) : []),
    ...bullets.slice(0, MAX_BULLETS).flatMap((bullet) => wrapped(bullet, style.width, `${GAP}- `)),
    ...(more > 0 ? [`${GAP}- … and ${more} more in summary.json`] : []),
  ];
}

const isWorthShowing = ({ title, table, bullets }: Section) =>
  !OPTIONAL_SECTIONS.includes(title) || table !== null || bullets.length > 0;

/** A judged proof for a terminal, or a pipe: the verdict first, then what it rests on. */
export function renderTerminal(proof: Proof, verdict: Verdict, asked: TerminalStyle): string {
  const style = { ...asked, width: Math.max(MIN_WIDTH, asked.width) };
  const [first, ...others] = sectionsOf(buildReportModel(proof, verdict));
  const word = verdictCell(verdict.overall);
  const lines = [
    `${bold(paint(word.text, word.tone, style), style)} by gate ${printable(verdict.gate)}`,
    ...(first ? sectionLines(first, style) : []),
    ...others
      .filter(isWorthShowing)
      .flatMap((section) => ['', bold(section.title, style), ...sectionLines(section, style)]),
    '',
    dim(`proof: ${proof.dir}; judge it again: meshproof gate check ${proof.dir}`, style),
  ];
  return `${lines.join('\n')}\n`;
}
