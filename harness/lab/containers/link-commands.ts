import { type LinkFigures, UNTOUCHED } from '../link-agent/link-figures.ts';
import type { LabHost } from './lab-plan.ts';

const PACKET_BYTES = 1_500; // netem counts its queue in packets
const LIMIT_PACKETS = 100_000; // netem's own limit of 1000 turns delay into loss
const SHARE = 'rate 10gbit quantum 60000'; // htb wants a rate for a class; this one never binds in a lab
const NETEM_HANDLE_BASE = 0x100; // clear of htb's own handle

/**
 * Lines for `tc -batch` in the lab's own namespace: everything from other hosts to `to` passes a class per sender, with
 * netem below it, on the bridge's port. The hosts' own interfaces stay free for faults, and what comes from the lab's
 * side (SSH) is not touched. netem's jitter reorders packets, as real paths rarely do.
 */
export function linkCommands(
  to: LabHost,
  senders: readonly { readonly host: LabHost; readonly figures: LinkFigures }[],
): readonly string[] {
  const touched = senders.filter(({ figures }) => netemArguments(figures) !== netemArguments(UNTOUCHED));
  if (touched.length === 0) return [];
  const port = `dev ${to.name}`;
  return [
    `qdisc add ${port} root handle 1: htb default 0`,
    ...touched.flatMap(({ host, figures }, index) => {
      const flow = `1:${(index + 1).toString(16)}`;
      const handle = `${(NETEM_HANDLE_BASE + index).toString(16)}:`;
      return [
        `class add ${port} parent 1: classid ${flow} htb ${SHARE}`,
        `qdisc add ${port} parent ${flow} handle ${handle} netem ${netemArguments(figures)}`,
        `filter add ${port} parent 1: protocol ip prio 4 u32 match ip src ${host.address}/32 flowid ${flow}`,
        `filter add ${port} parent 1: protocol ipv6 prio 6 u32 match ip6 src ${host.address6}/128 flowid ${flow}`,
      ];
    }),
  ];
}

/** What tc-netem(8) calls these figures. Its reordered packets overtake the others; ours are overtaken: the same share. */
export function netemArguments(figures: LinkFigures): string {
  const { latencyMs, jitterMs, lossRatio, rateKbit, queueBytes, reorderRatio, reorderByMs } = figures;
  const delayMs = reorderRatio > 0 ? Math.max(latencyMs, reorderByMs) : latencyMs;
  const parts = [`limit ${rateKbit === null ? LIMIT_PACKETS : Math.ceil(queueBytes / PACKET_BYTES)}`];
  if (delayMs > 0 || jitterMs > 0) {
    parts.push(`delay ${delayMs}ms`);
    if (jitterMs > 0) parts.push(`${jitterMs}ms distribution normal`);
  }
  if (lossRatio > 0) parts.push(`loss random ${percent(lossRatio)}`);
  if (reorderRatio > 0) parts.push(`reorder ${percent(reorderRatio)}`);
  if (rateKbit !== null) parts.push(`rate ${rateKbit}kbit`);
  return parts.join(' ');
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(6))}%`;
}
