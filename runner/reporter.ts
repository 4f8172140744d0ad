import type { Clock } from '../kit/clock.ts';
import type { NodeIdentity } from './node-api.ts';
import type { Outcome, Result, ResultKind } from './protocol.ts';
import type { ResultStore, UnnumberedResult } from './result-store.ts';

/** What a runner has to say; the rest of a result is who says it and when. */
export interface Report {
  readonly kind: ResultKind;
  readonly commandId: string | null;
  readonly requestId: string | null;
  readonly outcome: Outcome;
  readonly details: Result['details'];
  readonly digestMarker?: string;
  /** Agent to which the result goes by direct message too; null when it is only to be fetched. */
  readonly replyTo: string | null;
}

interface ReporterModules {
  readonly store: ResultStore;
  readonly clock: Clock;
  readonly identity: () => NodeIdentity;
  readonly post: (anchorAid: string, result: Result) => void;
}

/** Numbers and stamps results, keeps them for the control endpoint, and posts those that an anchor waits for. */
export class Reporter {
  readonly #self: { readonly nodeName: string; readonly bootId: string };
  readonly #modules: ReporterModules;

  constructor(self: { readonly nodeName: string; readonly bootId: string }, modules: ReporterModules) {
    this.#self = self;
    this.#modules = modules;
  }

  report(report: Report): void {
    const { agent_id, machine_id } = this.#modules.identity();
    const unnumbered: UnnumberedResult = {
      kind: report.kind,
      command_id: report.commandId,
      request_id: report.requestId,
      outcome: report.outcome,
      details: report.details,
      node: this.#self.nodeName,
      agent_id,
      machine_id,
      ts_ms: Math.round(this.#modules.clock.wallMs()),
      digest_marker: report.digestMarker ?? null,
      boot_id: this.#self.bootId,
    };
    const result = this.#modules.store.push(unnumbered, this.#modules.clock.nowMs());
    if (report.replyTo !== null) this.#modules.post(report.replyTo, result);
  }
}
