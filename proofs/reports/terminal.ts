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
const READABLE_LABEL_WIDTH = 24;
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

interface Column {
  readonly at: number;
  readonly width: number;
}

/**
 * Columns that fit: the widest labels give way first as far as they stay readable, then columns that may, then labels again,
 * then columns fall off the right.
 */
function columnsThatFit({ head, rows, labels, givesWay = [] }: Table, width: number): readonly Column[] {
  const natural = head.map((title, at): Column => {
    const texts = rows.map((cells) => printable(cells[at]?.text ?? '').length);
    return { at, width: Math.max(title.length, ...texts) };
  });
  const optional = givesWay.map((title) => head.indexOf(title));
  const tries = [natural, ...optional.map((_, count) => without(natural, optional.slice(0, count + 1)))];
  for (const columns of tries) {
    const fitted = shrunk(columns, labels, READABLE_LABEL_WIDTH, width);
    if (totalOf(fitted) <= width) return fitted;
  }
  let left = shrunk(tries.at(-1) ?? natural, labels, MIN_LABEL_WIDTH, width);
  while (left.length > 1 && totalOf(left) > width) left = left.slice(0, -1);
  return left;
}

const totalOf = (columns: readonly Column[]) => columns.reduce((sum, one) => sum + one.width + GAP.length, 0);

const without = (columns: readonly Column[], gone: readonly number[]) =>
  columns.filter(({ at }) => !gone.includes(at));

/** Takes from the widest label, again and again, as long as it is wider than `least`. */
function shrunk(columns: readonly Column[], labels: number, least: number, width: number): readonly Column[] {
  const widths = columns.map((one) => one.width);
  let excess = totalOf(columns) - width;
  while (excess > 0) {
    const own = columns.flatMap(({ at }, index) => (at < labels ? [index] : []));
    const widest = own.reduce(
      (best, index) => ((widths[index] ?? 0) > (widths[best] ?? 0) ? index : best),
      0,
    );
    const now = widths[widest] ?? 0;
    if (now <= least) break;
    widths[widest] = now - 1;
    excess -= 1;
  }
  return columns.map(({ at }, index) => ({ at, width: widths[index] ?? 0 }));
}

function tableLines(table: Table, style: TerminalStyle): string[] {
  const columns = columnsThatFit(table, style.width);
  const line = (cells: readonly Cell[]) =>
    GAP +
    columns
      .map(({ at, width }) => {
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
