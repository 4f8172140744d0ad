import { realClock } from '../../kit/clock.ts';
import { createSigning } from '../../kit/create-signing.ts';
import { FaultError } from '../../kit/errors.ts';
import type { Signing } from '../../kit/signing.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import { FaultController } from '../faults/fault-controller.ts';
import type { ControlChange, Fleet, ProcessEnd } from '../fleet/mesh-host.ts';
import { waitForMesh } from '../fleet/mesh-ready.ts';
import { discoverRunners, identifyNodes } from '../matrix/identify.ts';
import { openControlChannel } from '../matrix/open-control-channel.ts';
import { createOperatorKey, type OperatorKey } from '../matrix/operator-key.ts';
import type { Identity } from '../matrix/phase-a.ts';
import { runWindows, type WindowsModules } from './run-windows.ts';
import { StopWatch } from './stop-watch.ts';

/** All nodes and runners together; a mesh that has not formed by then will not. */
const MESH_BUDGET_MS = 60_000;
const BOOT_ID_BUDGET_MS = 2_000;

export interface ConductModules extends Pick<WindowsModules, 'plan' | 'ledger' | 'progress' | 'judgeWindow'> {
  readonly startFleet: (plan: Plan, operatorKeys: readonly string[], signal: AbortSignal) => Promise<Fleet>;
  /** The key that the runners obey; without it, a fresh one that `startFleet` makes known to them. */
  readonly operatorKey?: ((signing: Signing) => Promise<OperatorKey>) | undefined;
}

/**
 * Brings the mesh up, runs every window of the plan, and takes the mesh down again on every way out. Throws what
 * ended it early: the reason why it was broken off, not what broke because of it.
 */
export async function conductRun(
  modules: ConductModules,
  { discoverMs }: { readonly discoverMs: number },
  outer: AbortSignal,
): Promise<void> {
  const { plan, ledger, progress } = modules;
  const abort = new AbortController();
  const signal = AbortSignal.any([outer, abort.signal]);
  await using undo = new AsyncDisposableStack();
  try {
    const signing = await createSigning();
    undo.defer(() => signing.close());
    const operator = await (modules.operatorKey ?? createOperatorKey)(signing);
    const fleet = await modules.startFleet(plan, [operator.publicKeyBase64], signal);
    const ends: Promise<void>[] = []; // one per process, and per change of the way to one
    undo.defer(() => Promise.all(ends).then(() => {})); // on record before anything closes the evidence
    undo.defer(() => fleet.stop());
    const stops = new StopWatch(plan.safety.stop_on ?? []);
    let stage: 'setting up' | 'running' = 'setting up';
    fleet.onProcessEnd((end, expected) => {
      ends.push(recordEnd(modules, end, expected, abort));
      const stop = stage === 'running' ? stops.processEnded(end.node, end.role, expected) : null;
      if (stop !== null) abort.abort(stop);
      if (stage === 'setting up' && expected === 'unexpected') abort.abort(endedTooEarly(end));
    });

    fleet.onControlChange?.((change) => {
      stops.wayChanged(change.node, change.state);
      ends.push(recordChange(modules, change, abort));
    });
    const checkWays = async (nodes?: readonly string[]) => {
      await fleet.checkWays?.(signal, nodes);
      await Promise.all(ends); // what it found is on record before anything is made of it
    };

    const identities = await awaitMesh(modules, fleet, signal);
    const lookAtHosts = async (window: number | null) => {
      for (const seen of (await fleet.lookAtHosts?.(window, signal)) ?? []) await ledger.record(seen);
    };
    await lookAtHosts(null);
    const channel = await openControlChannel(plan.control, { fleet, identities, operator }, signal);
    undo.defer(() => channel.close());
    const askedMs = realClock.nowMs();
    await discoverRunners(channel, identities, { budgetMs: discoverMs, signal });
    progress.show({
      event: 'runners_ready',
      after_ms: realClock.nowMs() - askedMs,
      runners: identities.size,
    });

    const faults = new FaultController({
      driver: fleet.faults,
      fleet: { anchor: plan.anchor, nodes: plan.roster.map(({ name }) => name) },
      safety: plan.safety,
      record: (entry) => ledger.record(entry),
      progress,
      clock: realClock,
      signal,
      bootIdOf: (node, within) => bootIdOf(fleet, node, within),
    });
    undo.defer(() => faults.close());

    stage = 'running';
    const giveUp = (reason: unknown) => abort.abort(reason);
    const { judgeWindow } = modules;
    const { outsiders, upgrades } = fleet;
    const running = {
      hosts: fleet.hosts,
      lookAtHosts,
      checkWays,
      outsiders,
      upgrades,
      channel,
      identities,
      faults,
      stops,
      giveUp,
    };
    await runWindows({ plan, ledger, progress, judgeWindow, ...running }, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The process that answers at a node now; null when none does. */
async function bootIdOf({ hosts }: Fleet, node: string, signal: AbortSignal): Promise<string | null> {
  const host = hosts.find(({ name }) => name === node);
  try {
    return (await host?.node.health({ signal, timeoutMs: BOOT_ID_BUDGET_MS }))?.boot_id ?? null;
  } catch {
    signal.throwIfAborted();
    return null; // a process that is down or paused has none to tell
  }
}

/** Waits for the whole mesh and records it, and who each node is. */
async function awaitMesh(
  { ledger, progress }: ConductModules,
  { hosts }: Fleet,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Identity>> {
  const mesh = await waitForMesh(hosts, { budgetMs: MESH_BUDGET_MS, signal });
  await ledger.record({ type: 'mesh_ready', after_ms: mesh.afterMs, live_links: mesh.liveLinks });
  progress.show({ event: 'mesh_ready', after_ms: mesh.afterMs, live_links: mesh.liveLinks });
  const identified = await identifyNodes(hosts, signal);
  for (const record of identified) await ledger.record(record);
  return new Map(
    identified.map(({ node, agent_id, machine_id }) => [node, { agentId: agent_id, machineId: machine_id }]),
  );
}

async function recordEnd(
  { ledger, progress }: ConductModules,
  { node, role, code, signal, lastWords }: ProcessEnd,
  expected: 'expected' | 'unexpected',
  abort: AbortController,
): Promise<void> {
  const exit = { node, role, code, signal, expected: expected === 'expected' };
  progress.show({ event: 'process_exited', ...exit });
  try {
    await ledger.record({ type: 'process_exited', ...exit, last_words: [...lastWords] });
  } catch (error) {
    abort.abort(error);
  }
}

async function recordChange(
  { ledger, progress }: ConductModules,
  change: ControlChange,
  abort: AbortController,
): Promise<void> {
  const { node } = change;
  try {
    if (change.state === 'lost') {
      progress.show({ event: 'control_lost', node, code: change.code, why: change.why });
      await ledger.record({
        type: 'control_lost',
        node,
        code: change.code,
        why: change.why,
        since_mono_ms: change.sinceMs,
      });
    } else {
      progress.show({ event: 'control_regained', node, after_ms: change.afterMs });
      await ledger.record({
        type: 'control_regained',
        node,
        after_ms: change.afterMs,
        at_mono_ms: change.atMs,
      });
    }
  } catch (error) {
    abort.abort(error);
  }
}

function endedTooEarly({ node, role, code, signal, lastWords }: ProcessEnd): FaultError {
  const how = signal === null ? `code ${code}` : signal;
  const why = lastWords.at(-1);
  return new FaultError(
    'PROCESS_ENDED',
    `${role} of ${node} ended before the first window (${how})${why === undefined ? '' : `: ${why}`}`,
    { details: { node, role, code, signal, last_words: lastWords } },
  );
}
