import { describe, expect, it, test } from 'vitest';
import { confirmNetwork, isGuarded } from './confirm-network.ts';
import type { Terminal } from './terminal.ts';

const signal = new AbortController().signal;
const inventoryOf = (network: string) => ({ network, source: 'fleet.toml', hosts: [] });
const answering = (answer: string): Terminal => ({ ask: async () => answer });
const noOne: Terminal = {
  ask: async () => {
    throw new Error('nobody should be asked');
  },
};

test.each(['prod', 'PROD', 'prod-eu', 'production', 'live', 'mainnet', 'main.1'])(
  '%s is guarded',
  (network) => {
    expect(isGuarded(network)).toBe(true);
  },
);
test.each(['test', 'lab', 'staging', 'product-test', 'maintenance', 'preprod'])(
  '%s is not guarded',
  (network) => {
    expect(isGuarded(network)).toBe(false);
  },
);

describe('the network of a command', () => {
  it('need not be named when nobody depends on it', async () => {
    await confirmNetwork(inventoryOf('test'), {}, noOne, signal);
    await confirmNetwork(inventoryOf('test'), { network: 'test' }, null, signal);
  });

  it('must be that of the inventory when it is named', async () => {
    const named = confirmNetwork(inventoryOf('prod'), { network: 'test' }, noOne, signal);
    await expect(named).rejects.toMatchObject({ code: 'NETWORK_MISMATCH' });
    const confirmed = confirmNetwork(
      inventoryOf('prod'),
      { network: 'prod', confirmNetwork: 'yes' },
      noOne,
      signal,
    );
    await expect(confirmed).rejects.toThrow(
      '--confirm-network is "yes", but fleet.toml is of network "prod"',
    );
  });

  it('must be named when people depend on it, whoever would confirm', async () => {
    const silent = confirmNetwork(
      inventoryOf('prod'),
      { confirmNetwork: 'prod' },
      answering('touch prod'),
      signal,
    );
    await expect(silent).rejects.toMatchObject({ code: 'NETWORK_NOT_NAMED' });
  });

  it('is confirmed by a flag without a question', async () => {
    await confirmNetwork(inventoryOf('prod'), { network: 'prod', confirmNetwork: 'prod' }, noOne, signal);
  });

  it('is confirmed by the phrase and by nothing else', async () => {
    await confirmNetwork(inventoryOf('prod'), { network: 'prod' }, answering('touch prod'), signal);
    for (const answer of ['', 'y', 'yes', 'prod', 'touch test']) {
      const asked = confirmNetwork(inventoryOf('prod'), { network: 'prod' }, answering(answer), signal);
      await expect(asked).rejects.toMatchObject({ code: 'NETWORK_NOT_CONFIRMED' });
    }
  });

  it('is refused when nobody can be asked', async () => {
    const unattended = confirmNetwork(inventoryOf('prod'), { network: 'prod' }, null, signal);
    await expect(unattended).rejects.toThrow(/say --confirm-network prod/);
  });
});
