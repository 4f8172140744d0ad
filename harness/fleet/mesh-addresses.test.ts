import { describe, expect, it } from 'vitest';
import { fixtureHost } from './fixture-host.ts';
import { meshAddresses } from './mesh-addresses.ts';

const limits = { budgetMs: 1_000, signal: new AbortController().signal };

function resolved(meshAddress: string, answer: string) {
  const asked: string[] = [];
  const host = fixtureHost('lab1', (argv) => {
    asked.push(argv.join(' '));
    return answer;
  });
  return { asked, addresses: meshAddresses({ meshAddress }, host, limits) };
}

describe('the addresses of a host in the mesh', () => {
  it.for(['192.0.2.7', '2001:db8::7'])('are %s itself, which nobody has to resolve', async (address) => {
    const { asked, addresses } = resolved(address, '203.0.113.1 STREAM\n');
    expect(await addresses).toEqual([address]);
    expect(asked).toEqual([]);
  });

  it('are what a host of the fleet resolves the name to: each once, of both families, in its order', async () => {
    const answer = [
      ...['2001:db8::7    STREAM one.example', '2001:db8::7    DGRAM', '2001:db8::7    RAW'],
      ...['192.0.2.7       STREAM', '192.0.2.7       DGRAM', ''],
    ].join('\n');
    const { asked, addresses } = resolved('one.example', answer);
    expect(await addresses).toEqual(['2001:db8::7', '192.0.2.7']);
    expect(asked).toEqual(['getent ahosts one.example']);
  });

  it('are at most 16, and nothing but addresses', async () => {
    const many = Array.from({ length: 40 }, (_, at) => `192.0.2.${at + 1} STREAM`);
    const { addresses } = resolved('many.example', ['getent: odd', 'localhost STREAM', ...many].join('\n'));
    const found = await addresses;
    expect(found).toHaveLength(16);
    expect(found[0]).toBe('192.0.2.1');
  });

  it.for(['', 'no-address-here STREAM\n'])('are unknown by name when the answer is "%s"', async (answer) => {
    await expect(resolved('gone.example', answer).addresses).rejects.toMatchObject({
      code: 'MESH_ADDRESS_UNKNOWN',
      details: { host: 'lab1', mesh_address: 'gone.example' },
    });
  });
});
