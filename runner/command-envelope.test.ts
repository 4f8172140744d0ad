import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSigning } from '../kit/create-signing.ts';
import type { Signer, Signing } from '../kit/signing.ts';
import { openCommand, operatorId, sealCommand } from './command-envelope.ts';
import type { Command } from './protocol.ts';

const NOW = 1_800_000_000_000;
let signing: Signing;
let operator: Signer;
let stranger: Signer;

beforeAll(async () => {
  signing = await createSigning();
  operator = await signing.signer(new Uint8Array(32).fill(1));
  stranger = await signing.signer(new Uint8Array(32).fill(2));
});
afterAll(() => signing.close());

function commandWith(change: Partial<Command> = {}): Command {
  return {
    command_id: 'c-1',
    target_node: 'nyc',
    action: 'noop_ack',
    anchor_aid: null,
    issued_at_unix_ms: NOW,
    expires_at_unix_ms: NOW + 10_000,
    params: { request_id: 'r-1' },
    ...change,
  };
}

function open(text: string, nowUnixMs = NOW) {
  const operators = new Map([[operatorId(operator.publicKey), operator.publicKey]]);
  return openCommand(text, { operators, nodeName: 'nyc', nowUnixMs, signing });
}

async function sealed(change: Partial<Command> = {}, signer = operator): Promise<string> {
  return JSON.stringify(await sealCommand(commandWith(change), signer));
}

describe('openCommand', () => {
  it('gives the command that a known operator signed for this node', async () => {
    expect(await open(await sealed())).toEqual({ command: commandWith() });
  });

  it('takes a command for any node', async () => {
    expect(await open(await sealed({ target_node: '*' }))).toHaveProperty('command');
  });

  it.each<[string, Partial<Command>, number]>([
    ['COMMAND_FOR_ANOTHER_NODE', { target_node: 'sfo' }, NOW],
    ['COMMAND_EXPIRED', {}, NOW + 10_000],
    ['COMMAND_NOT_YET_VALID', {}, NOW - 30_001],
    ['COMMAND_LIFETIME_TOO_LONG', { expires_at_unix_ms: NOW + 600_001 }, NOW],
    ['COMMAND_MALFORMED', { command_id: 'white space' }, NOW],
  ])('refuses with %s', async (code, change, nowUnixMs) => {
    expect(await open(await sealed(change), nowUnixMs)).toMatchObject({ refused: code });
  });

  it('refuses an operator whose key it was not deployed with', async () => {
    expect(await open(await sealed({}, stranger))).toMatchObject({ refused: 'OPERATOR_UNKNOWN' });
  });

  it("refuses a stranger's signature under a known operator's name", async () => {
    const envelope = await sealCommand(commandWith(), stranger);
    const forged = JSON.stringify({ ...envelope, operator: operatorId(operator.publicKey) });
    expect(await open(forged)).toMatchObject({ refused: 'SIGNATURE_INVALID' });
  });

  it('refuses a command that was changed after it was signed, even in its spacing', async () => {
    const envelope = await sealCommand(commandWith(), operator);
    const changed = JSON.stringify({ ...envelope, command: envelope.command.replace(',', ', ') });
    expect(await open(changed)).toMatchObject({ refused: 'SIGNATURE_INVALID' });
  });

  it('refuses a command without signature by its own name', async () => {
    const { command, operator: id } = await sealCommand(commandWith(), operator);
    const bare = JSON.stringify({ command, operator: id });
    expect(await open(bare)).toMatchObject({ refused: 'COMMAND_UNSIGNED' });
    const empty = JSON.stringify({ command, operator: id, signature: '' });
    expect(await open(empty)).toMatchObject({ refused: 'COMMAND_UNSIGNED' });
  });

  it('refuses params nested beyond reason instead of failing on them', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const text = JSON.stringify(commandWith()).replace('"r-1"', deep);
    const signature = await operator.sign(Buffer.from(`meshproof.command.v1\0${text}`));
    const envelope = {
      command: text,
      operator: operatorId(operator.publicKey),
      signature: Buffer.from(signature).toString('base64'),
    };
    expect(await open(JSON.stringify(envelope))).toMatchObject({ refused: 'COMMAND_MALFORMED' });
  });

  it('never executes on, and never throws at, whatever text arrives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        expect(await open(text)).toHaveProperty('refused');
      }),
    );
  });

  it('refuses a genuine envelope with any one character changed', async () => {
    const genuine = await sealed();
    await fc.assert(
      fc.asyncProperty(fc.nat(genuine.length - 1), fc.integer({ min: 33, max: 126 }), async (at, char) => {
        const replacement = String.fromCharCode(char);
        fc.pre(replacement !== genuine[at]);
        const changed = `${genuine.slice(0, at)}${replacement}${genuine.slice(at + 1)}`;
        const reception = await open(changed);
        // The last base64 character before padding has bits that no byte takes: decoding is then the same.
        const same = 'command' in reception && JSON.parse(changed).command === JSON.parse(genuine).command;
        expect('refused' in reception || same).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
