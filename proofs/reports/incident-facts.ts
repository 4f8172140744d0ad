import { endedWell } from '../process-exit.ts';
import type { Proof } from '../read-proof.ts';
import { shortDuration } from './cells.ts';

/** What happened beside the experiments: unexpected ends of processes, restarts, faults of the harness, interruption. */
export function incidentFacts(proof: Proof): readonly string[] {
  return proof.records.flatMap((record): string[] => {
    switch (record.type) {
      case 'process_exited': {
        if (endedWell(record)) return [];
        const how = record.signal ?? `code ${record.code ?? 'unknown'}`;
        const words = record.last_words.at(-1);
        const last = words === undefined ? '' : `; last words: ${words}`;
        return [`${record.role} ${record.node} ended unexpectedly (${how})${last}`];
      }
      case 'host_preflight': {
        const odd = record.checks.filter(({ status }) => status !== 'ok');
        return odd.map(
          ({ check, status, said }) => `${record.node} before the run: ${check} (${status}): ${said}`,
        );
      }
      case 'control_lost':
        return [`the way to ${record.node} was lost, which says nothing about its node: ${record.why}`];
      case 'control_regained':
        return [`the way to ${record.node} stood again after ${shortDuration(record.after_ms)}`];
      case 'telemetry_skipped': {
        const where = record.window === null ? 'outside windows' : `in window ${record.window}`;
        return [`${record.rounds} rounds of telemetry were skipped ${where}: ${record.why}`];
      }
      case 'control_tally': {
        const { lost, restarts, forged, malformed } = record;
        const told = Object.entries({ lost, restarts, forged, malformed }).filter(([, count]) => count > 0);
        if (told.length === 0) return [];
        const where = record.window === null ? 'outside windows' : `window ${record.window}`;
        const counts = told.map(([what, count]) => `${count} ${what}`).join(', ');
        return [`${where}: control channel of ${record.node}: ${counts}`];
      }
      case 'restart_declared':
        return [`window ${record.window} ${record.scenario}: restarted ${record.node} on purpose`];
      case 'node_recovered': {
        const how =
          record.after_ms === null ? 'never recovered' : `recovered after ${shortDuration(record.after_ms)}`;
        return [`window ${record.window} ${record.scenario}: ${record.node} ${how}`];
      }
      case 'harness_fault':
        return [`harness fault ${record.code}: ${record.message}`];
      case 'run_stopped':
        return [`the run was stopped on ${record.condition}: ${record.why}`];
      case 'run_interrupted':
        return [`the run was interrupted by ${record.signal}`];
      default:
        return [];
    }
  });
}
