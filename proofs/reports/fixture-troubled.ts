import type { Verdict } from '../evidence.ts';
import { fixtureProof, fixtureVerdict } from '../fixture.ts';
import { missing, seen } from '../observation.ts';
import type { Proof } from '../read-proof.ts';

export const ESC = '\u001b';
export const NYC_GOSSIP = 'windows/001/diagnostics/baseline/nyc-post-gossip.json';

/** Window 1 loses a pair, a document and a process; window 2 never begins; the journal is torn. */
export function troubled(): { readonly proof: Proof; readonly verdict: Verdict } {
  const healthy = fixtureProof({
    records: (records) => {
      const end = records.findIndex((record) => record.type === 'window_started' && record.window === 2);
      return [
        ...records.slice(0, end).map((record) =>
          record.type === 'pair_outcome' && record.from === 'nyc'
            ? {
                ...record,
                acked: false,
                received: false,
                received_sha256: null,
                latency_ms: null,
                attempts: null,
                path: null,
                failure: { class: 'recv_miss' as const, detail: `nothing | came <b>\n${ESC}[31mred` },
              }
            : record,
        ),
        {
          type: 'process_exited' as const,
          node: 'nyc',
          role: 'node' as const,
          code: null,
          signal: 'SIGKILL',
          expected: false,
          last_words: ['=1+1'],
        },
        { type: 'run_interrupted' as const, signal: 'SIGINT' },
      ];
    },
  });
  const documents = new Map(healthy.documents);
  documents.set(NYC_GOSSIP, missing('unreadable', `${NYC_GOSSIP}: is not there any more`));
  const proof: Proof = { ...healthy, documents, torn: { line: healthy.entries.length + 1, bytes: 17 } };
  const whole = fixtureVerdict(proof);
  const verdict: Verdict = {
    ...whole,
    overall: 'NO-GO',
    windows: [
      { window: 1, verdict: 'NO-GO', reasons: ['nyc→ams was lost'] },
      { window: 2, verdict: 'INCONCLUSIVE', reasons: ['window 2 of 2 did not run'] },
    ],
    reasons: ['nyc→ams: nothing came', 'window 2 of 2 did not run: run it'],
    findings: [
      ...whole.findings.filter(({ window }) => window === 1),
      {
        objective: 'every pair',
        scope: 'pair',
        subject: 'nyc→ams',
        window: 1,
        scenario: 'baseline',
        verdict: 'NO-GO',
        value: seen(0),
        limit: { min: 1 },
        margin: -1,
        reason: 'nyc→ams: command accepted, nothing received',
      },
    ],
  };
  return { proof, verdict };
}
