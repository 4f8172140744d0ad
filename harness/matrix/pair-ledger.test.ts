import { describe, expect, it } from 'vitest';
import { PairLedger } from './pair-ledger.ts';

const SHA = 'a'.repeat(64);
const GOOD_SEND = { error: null, path: 'raw_quic_acked', attempts: 1, latencyMs: 3 };
const GOOD_RECEIPT = { sha256: SHA, senderVerified: true };

function ledgerOf(): PairLedger {
  const ledger = new PairLedger('raw_quic_acked');
  ledger.expect(['a', 'b'], 'r1', SHA);
  return ledger;
}

function outcomeOf(ledger: PairLedger) {
  return ledger.outcomes(1, 'baseline', 9_000)[0];
}

describe('the pair ledger', () => {
  it('joins both ends of a pair by request id', () => {
    const ledger = ledgerOf();
    ledger.commandDispatched('r1');
    expect(ledger.isComplete(0)).toBe(false);
    ledger.receiptReported('r1', 'b', GOOD_RECEIPT);
    ledger.sendReported('r1', 'a', GOOD_SEND, 1);
    expect(ledger.isComplete(1)).toBe(true);
    expect(outcomeOf(ledger)).toMatchObject({
      sent: true,
      accepted: true,
      acked: true,
      received: true,
      attempts: 1,
      duplicates: 0,
      failure: null,
    });
    expect(ledger.delivered()).toEqual([['a', 'b']]);
  });

  it('tells from its command to the end of listening when a pair was listened to', () => {
    const ledger = ledgerOf();
    ledger.commandAsked('r1', 40);
    ledger.commandDispatched('r1');
    expect(outcomeOf(ledger)?.span_mono_ms).toEqual({ from: 40, until: 9_000 });
  });

  it('keeps a pair of which nothing was heard', () => {
    expect(outcomeOf(ledgerOf())).toMatchObject({ sent: false, failure: { class: 'command_dispatch_fail' } });
  });

  it.for([
    ['send_no_result', (l: PairLedger) => l.commandDispatched('r1')],
    ['command_dispatch_fail', (l: PairLedger) => l.commandFailed('r1', 'refused', 0)],
    ['send_err', (l: PairLedger) => l.sendReported('r1', 'a', { ...GOOD_SEND, error: 'timeout' }, 0)],
    ['recv_miss', (l: PairLedger) => l.sendReported('r1', 'a', GOOD_SEND, 0)],
    ['wrong_path', (l: PairLedger) => bothEnds(l, { ...GOOD_SEND, path: 'gossip_inbox' }, GOOD_RECEIPT)],
    ['wrong_path', (l: PairLedger) => bothEnds(l, { ...GOOD_SEND, path: null }, GOOD_RECEIPT)],
    ['corrupted', (l: PairLedger) => bothEnds(l, GOOD_SEND, { ...GOOD_RECEIPT, sha256: 'b'.repeat(64) })],
    [
      'unverified_sender',
      (l: PairLedger) => bothEnds(l, GOOD_SEND, { ...GOOD_RECEIPT, senderVerified: false }),
    ],
    ['duplicated', (l: PairLedger) => bothEnds(l, GOOD_SEND, GOOD_RECEIPT, GOOD_RECEIPT)],
  ] as const)('names a failure %s, with the pair', ([label, events]) => {
    const ledger = ledgerOf();
    events(ledger);
    const failure = outcomeOf(ledger)?.failure;
    expect(failure?.class).toBe(label);
    expect(failure?.detail).toMatch(/a → b/);
    expect(ledger.delivered()).toEqual([]);
  });

  it('ignores reports from another node than the planned one, and of unknown requests', () => {
    const ledger = ledgerOf();
    ledger.sendReported('r1', 'c', GOOD_SEND, 0);
    ledger.receiptReported('r1', 'c', GOOD_RECEIPT);
    ledger.receiptReported('r0', 'b', GOOD_RECEIPT);
    expect(outcomeOf(ledger)).toMatchObject({ accepted: false, received: false });
  });

  it('gives a failed send time for a late receipt, which tells a lost receipt from a lost message', () => {
    const ledger = ledgerOf();
    ledger.sendReported('r1', 'a', { ...GOOD_SEND, error: 'timeout' }, 1_000);
    expect(ledger.isComplete(2_000)).toBe(false);
    ledger.receiptReported('r1', 'b', GOOD_RECEIPT);
    expect(ledger.isComplete(3_000)).toBe(true);
    expect(outcomeOf(ledger)).toMatchObject({ received: true, failure: { class: 'send_err' } });
  });
});

function bothEnds(
  ledger: PairLedger,
  send: Parameters<PairLedger['sendReported']>[2],
  ...receipts: readonly Parameters<PairLedger['receiptReported']>[2][]
): void {
  ledger.sendReported('r1', 'a', send, 0);
  for (const receipt of receipts) ledger.receiptReported('r1', 'b', receipt);
}
