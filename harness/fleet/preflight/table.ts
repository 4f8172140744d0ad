import { styleText } from 'node:util';
import { isSeen, type Observation } from '../../../proofs/observation.ts';
import { type CheckStatus, duration } from './judge-facts.ts';
import type { HostPreflight } from './preflight.ts';

const GIB = 1024 ** 3;
const GAP = '  ';
const HEADINGS = ['HOST', 'REGION', 'STATUS', 'CLOCK', 'DISK', 'MEMORY', 'LOAD', 'UP'] as const;
const WORDS = { ok: 'ok', warn: 'warn', fail: 'FAIL' } as const satisfies Record<CheckStatus, string>;
const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
const NAMED_HOSTS = 4;

/** A row for each host, and below them what is not as it should be; what several hosts share is said once. */
export function preflightTable(hosts: readonly HostPreflight[], colour: 'on' | 'off'): string {
  const rows = hosts.map(rowOf);
  const widths = HEADINGS.map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[], paint: (cell: string, at: number) => string) =>
    cells
      .map((cell, at) => paint(cell, at) + ' '.repeat(Math.max(0, (widths[at] ?? 0) - cell.length)))
      .join(GAP)
      .trimEnd();
  return [
    line(HEADINGS, (cell) => cell),
    ...rows.map((row, at) =>
      line(row, (cell, column) => (column === 2 ? painted(cell, hosts[at]?.status ?? 'fail', colour) : cell)),
    ),
    ...remarks(hosts, colour),
    '',
    summary(hosts),
    '',
  ].join('\n');
}

function rowOf({ name, region, status, facts, clockOffset }: HostPreflight): readonly string[] {
  const smallest = mapFact(facts?.disks, (disks) => Math.min(...disks.map(({ freeBytes }) => freeBytes)));
  return [
    name,
    region ?? '–',
    WORDS[status],
    mapFact(
      clockOffset,
      ({ offsetMs, uncertaintyMs }) => `${signed(offsetMs)} ± ${uncertaintyMs.toFixed(1)} ms`,
    ) ?? '–',
    smallest === null ? '–' : `${(smallest / GIB).toFixed(1)} GiB`,
    mapFact(facts?.memoryAvailableBytes, (bytes) => `${(bytes / GIB).toFixed(1)} GiB`) ?? '–',
    mapFact(facts?.loadOneMinute, (load) => load.toFixed(2)) ?? '–',
    mapFact(facts?.uptimeSecs, duration) ?? '–',
  ];
}

function remarks(hosts: readonly HostPreflight[], colour: 'on' | 'off'): readonly string[] {
  const shared = new Map<string, { status: CheckStatus; check: string; said: string; names: string[] }>();
  for (const host of hosts) {
    for (const { check, status, said } of host.checks) {
      if (status === 'ok') continue;
      const key = JSON.stringify([status, check, said]);
      const remark = shared.get(key) ?? { status, check, said, names: [] };
      remark.names.push(host.name);
      shared.set(key, remark);
    }
  }
  if (shared.size === 0) return [];
  const sorted = [...shared.values()].sort((a, b) => rank(b.status) - rank(a.status));
  const checkWidth = Math.max(...sorted.map(({ check }) => check.length));
  const namesOf = (names: readonly string[]) => {
    if (names.length === hosts.length && hosts.length > 1) return 'every host';
    const more = names.length - NAMED_HOSTS;
    return more <= 0 ? names.join(', ') : `${names.slice(0, NAMED_HOSTS).join(', ')} and ${more} more`;
  };
  const whoWidth = Math.max(...sorted.map(({ names }) => namesOf(names).length));
  return [
    '',
    ...sorted.map(({ status, check, said, names }) =>
      [
        painted(WORDS[status], status, colour),
        check.padEnd(checkWidth),
        namesOf(names).padEnd(whoWidth),
        said.replaceAll(/\s*\n\s*/g, ' '),
      ].join(GAP),
    ),
  ];
}

function summary(hosts: readonly HostPreflight[]): string {
  const count = (wanted: CheckStatus) => hosts.filter(({ status }) => status === wanted).length;
  const all = `${hosts.length} host${hosts.length === 1 ? '' : 's'}`;
  return `${all}: ${count('ok')} ok, ${count('warn')} with warnings, ${count('fail')} failed`;
}

function mapFact<T, U>(fact: Observation<T> | undefined, change: (value: T) => U): U | null {
  return fact !== undefined && isSeen(fact) ? change(fact.seen) : null;
}

function painted(word: string, status: CheckStatus, colour: 'on' | 'off'): string {
  return colour === 'on' ? styleText(COLOURS[status], word, { validateStream: false }) : word;
}

function signed(ms: number): string {
  return `${ms > 0 ? '+' : ''}${ms.toFixed(1)}`;
}

function rank(status: CheckStatus): number {
  return status === 'fail' ? 2 : status === 'warn' ? 1 : 0;
}
