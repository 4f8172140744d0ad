import { sha256Hex } from '../../kit/hash.ts';

/**
 * Seed of one scenario in one window: 32 bits of SHA-256 over the run's seed, the window and the scenario, so that no
 * two of them draw the same choices and each can be repeated alone.
 */
export function scenarioSeed(seed: number, window: number, scenario: string): number {
  return Number.parseInt(sha256Hex(JSON.stringify([seed, window, scenario])).slice(0, 8), 16);
}
