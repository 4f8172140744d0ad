import { UsageError } from '../kit/errors.ts';
import { asymmetricReachability } from './asymmetric-reachability.ts';
import { badExternalPeer, manyBadPeers } from './bad-peers.ts';
import { baseline } from './baseline.ts';
import { clockSkew } from './clock-skew.ts';
import { convergence } from './convergence.ts';
import { delayedReader } from './delayed-reader.ts';
import { fanoutBurst } from './fanout-burst.ts';
import { highRttPeer } from './high-rtt-peer.ts';
import { idleRot } from './idle-rot.ts';
import { partitionRecovery } from './partition-recovery.ts';
import { restartStorm } from './restart-storm.ts';
import { rollingUpgrade } from './rolling-upgrade.ts';
import type { Scenario } from './scenario.ts';
import { stalePeer } from './stale-peer.ts';

/** Every scenario that can be asked for, in the order in which help lists them. */
export const SCENARIOS: readonly Scenario[] = [
  baseline,
  fanoutBurst,
  restartStorm,
  partitionRecovery,
  badExternalPeer,
  manyBadPeers,
  delayedReader,
  rollingUpgrade,
  clockSkew,
  highRttPeer,
  stalePeer,
  asymmetricReachability,
  idleRot,
  convergence,
];

/** Every name that a gate may use for a scenario. */
export const SCENARIO_NAMES: readonly string[] = SCENARIOS.map(({ name }) => name);

/**
 * The scenario of that name.
 * @throws UsageError `UNKNOWN_SCENARIO`, listing the known ones
 */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((candidate) => candidate.name === name);
  if (found) return found;
  const known = SCENARIOS.map((candidate) => candidate.name).join(', ');
  throw new UsageError('UNKNOWN_SCENARIO', `--scenarios: "${name}" is not a scenario; known: ${known}`, {
    details: { name, known },
  });
}
