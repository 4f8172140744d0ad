import type { EvidenceRecord, RecordOf } from './evidence.ts';

/** Test-only: what a fault leaves in the evidence when it is as it should be. */

interface FixturePlace {
  readonly window: number;
  readonly scenario: string;
}

type Edge = readonly [string, string];

const measured = (
  fault_id: string,
  phase: RecordOf<'fault_measured'>['phase'],
  more: Partial<RecordOf<'fault_measured'>>,
): EvidenceRecord => ({
  type: 'fault_measured',
  fault_id,
  phase,
  role: 'faulted',
  edge: null,
  node: null,
  probes: null,
  matched_packets: null,
  process: null,
  unreadable: null,
  ...more,
});

const ending = (fault_id: string): readonly EvidenceRecord[] => [
  { type: 'fault_gone', fault_id, proven: true, why: null },
];

/** A cut of `edges` that bit, and is gone. */
export function healthyCut(at: FixturePlace, id: string, edges: readonly Edge[]): readonly EvidenceRecord[] {
  const probe = (answered: number) => ({ sent: 3, answered, rtt_ms: answered === 0 ? null : 0.4 });
  const look = (phase: 'before' | 'during' | 'after') =>
    edges.map(([from, to]) =>
      measured(id, phase, {
        edge: [from, to],
        probes: probe(phase === 'during' ? 0 : 3),
        matched_packets: phase === 'during' ? 12 : null,
      }),
    );
  return [
    {
      type: 'fault_requested',
      ...at,
      fault_id: id,
      kind: 'cut',
      targets: [...new Set(edges.flat())],
      edges: edges.map(([from, to]) => [from, to]),
      spec: {},
      ttl_ms: 15_000,
    },
    ...look('before'),
    { type: 'fault_applied', fault_id: id, took_ms: 40 },
    ...look('during'),
    { type: 'fault_reverted', fault_id: id, took_ms: 30 },
    ...look('after'),
    ...ending(id),
  ];
}

/** A delay of what `node` sends to `others` that was felt, and is gone. */
export function healthyShape(
  at: FixturePlace,
  id: string,
  node: string,
  others: readonly string[],
): readonly EvidenceRecord[] {
  const delayMs = 1_500;
  const look = (phase: 'before' | 'during' | 'after') =>
    others.map((other) =>
      measured(id, phase, {
        edge: [node, other],
        probes: { sent: 3, answered: 3, rtt_ms: phase === 'during' ? delayMs : 0.4 },
        matched_packets: phase === 'during' ? 12 : null,
      }),
    );
  return [
    {
      type: 'fault_requested',
      ...at,
      fault_id: id,
      kind: 'shape',
      targets: [node],
      edges: others.map((other): [string, string] => [node, other]),
      spec: { delay_ms: delayMs },
      ttl_ms: 15_000,
    },
    ...look('before'),
    { type: 'fault_applied', fault_id: id, took_ms: 40 },
    ...look('during'),
    { type: 'fault_reverted', fault_id: id, took_ms: 30 },
    ...look('after'),
    ...ending(id),
  ];
}

/** A pause of the node that held, and is over. */
export function healthyPause(at: FixturePlace, id: string, node: string): readonly EvidenceRecord[] {
  const look = (phase: 'before' | 'during' | 'after') => {
    const process = { state: phase === 'during' ? 'paused' : 'running', boot_id: `boot-${node}` } as const;
    return measured(id, phase, { node, process });
  };
  return [
    {
      type: 'fault_requested',
      ...at,
      fault_id: id,
      kind: 'pause',
      targets: [node],
      edges: [],
      spec: {},
      ttl_ms: 15_000,
    },
    look('before'),
    { type: 'fault_applied', fault_id: id, took_ms: 40 },
    look('during'),
    { type: 'fault_reverted', fault_id: id, took_ms: 30 },
    look('after'),
    ...ending(id),
  ];
}

/** A restart of `node` that took place. */
export function healthyRestart(at: FixturePlace, id: string, node: string): readonly EvidenceRecord[] {
  const look = (phase: 'before' | 'after', boot_id: string) =>
    measured(id, phase, { node, process: { state: 'running', boot_id } });
  return [
    {
      type: 'fault_requested',
      ...at,
      fault_id: id,
      kind: 'restart',
      targets: [node],
      edges: [],
      spec: {},
      ttl_ms: 0,
    },
    look('before', `boot-${node}`),
    { type: 'restart_declared', ...at, node },
    { type: 'fault_applied', fault_id: id, took_ms: 900 },
    look('after', `reboot-${node}`),
    ...ending(id),
  ];
}

/** What `partition_recovery` measures of a mesh of two that recovers well. */
export function healthyRecovery(at: FixturePlace, [a, b]: Edge): readonly EvidenceRecord[] {
  const figure = (name: string, value: number, node: string | null = null, peer: string | null = null) =>
    ({ type: 'measurement', ...at, name, node, peer, value, why: null }) as const;
  return [
    figure('delivered_before_ratio', 1),
    figure('delivered_across_cut', 0),
    figure('links_back_secs', 4),
    figure('resync_secs', 6),
    figure('unsynced_nodes', 0),
    figure('anti_entropy_rounds', 2, a, b),
    figure('anti_entropy_rounds', 1, b, a),
    figure('delivered_after_ratio', 1),
  ];
}
