import { isMember } from './attack-signs.ts';
import type { NodeInside } from './mesh-access.ts';
import { OUTSIDER_TOPIC } from './outsiders.ts';
import type { ScenarioContext } from './scenario.ts';

/** Remembers the most honest peers that each node let rest at one moment. */
export class HonestWatch {
  readonly #context: ScenarioContext;
  readonly #members: ReadonlySet<string>;
  readonly #worst = new Map<string, { readonly count: number; readonly why: string }>();

  constructor(context: ScenarioContext) {
    this.#context = context;
    const { mesh, fleet } = context;
    this.#members = new Set(fleet.nodes.map((name) => mesh.identityOf(name).machineId));
  }

  look(node: string, { gossip }: NodeInside): void {
    const rows = gossip.pubsub_stages.suppressed_peers.filter(
      ({ peer_id, topic }) => topic !== OUTSIDER_TOPIC && isMember(peer_id, this.#members),
    );
    const peers = new Set(rows.map(({ peer_id }) => peer_id));
    const worst = this.#worst.get(node);
    if (worst !== undefined && worst.count >= peers.size) return;
    const names = [...peers].map((peer) => this.#nameOf(peer));
    const why = rows.length === 0 ? '' : `${names.join(', ')} on ${rows.length} topics`;
    this.#worst.set(node, { count: peers.size, why });
  }

  async measure(): Promise<void> {
    const { fleet, measure } = this.#context;
    for (const node of fleet.nodes) {
      const worst = this.#worst.get(node);
      const name = 'honest_suppressed';
      if (worst === undefined) await measure({ name, node, value: null, why: `${node} was never seen` });
      else await measure({ name, node, value: worst.count, ...(worst.why !== '' && { why: worst.why }) });
    }
  }

  #nameOf(peer: string): string {
    const { mesh, fleet } = this.#context;
    return fleet.nodes.find((node) => mesh.identityOf(node).machineId.startsWith(peer)) ?? peer;
  }
}
