import { planLab } from '../../harness/lab/containers/lab-plan.ts';
import { linkCommands } from '../../harness/lab/containers/link-commands.ts';
import { type LinkFigures, UNTOUCHED } from '../../harness/lab/link-agent/link-figures.ts';
import { OTHER, PEER } from '../../runner/faults/network-rig.ts';
import { type Checks, SLOW_MS, type VmHost } from './vm-host.ts';

const ALL_FIGURES: LinkFigures = {
  ...UNTOUCHED,
  latencyMs: 20,
  jitterMs: 5,
  lossRatio: 0.001,
  rateKbit: 10_000,
  reorderRatio: 0.01,
  reorderByMs: 10,
};

/** The links of a lab, with the peers' end of the link in the place of its bridge's port towards a host. */
export const labLinkChecks = (vm: VmHost): Checks => ({
  lab_links: async () => {
    const [to, peer, other] = planLab('/srv/lab', 3).hosts;
    if (!to || !peer || !other) throw new Error('three hosts were planned for');
    const port = { ...to, name: 'up0' };
    const linked = async (ofPeer: LinkFigures, ofOther: LinkFigures) => {
      const senders = [
        { host: { ...peer, address: PEER.v4, address6: PEER.v6 }, figures: ofPeer },
        { host: { ...other, address: OTHER.v4, address6: OTHER.v6 }, figures: ofOther },
      ];
      for (const line of linkCommands(port, senders)) await vm.rig.onPeers('tc', ...line.split(' '));
      const seen = await vm.lookAtAll();
      await vm.rig.onPeers('tc', 'qdisc', 'delete', 'dev', 'up0', 'root');
      return seen;
    };
    const during = await linked({ ...UNTOUCHED, latencyMs: SLOW_MS }, UNTOUCHED);
    const varied = await linked(ALL_FIGURES, { ...UNTOUCHED, latencyMs: SLOW_MS });
    return { during, varied, clean: await vm.isClean() };
  },
});
