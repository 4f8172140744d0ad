import { describe, expect, it } from 'vitest';
import { UNTOUCHED } from '../link-agent/link-figures.ts';
import { planLab } from './lab-plan.ts';
import { linkCommands, netemArguments } from './link-commands.ts';

const [to, near, far] = planLab('/var/lib/lab', 3).hosts;
if (to === undefined || near === undefined || far === undefined)
  throw new Error('a plan of three has three hosts');

describe('the links of a lab', () => {
  it('are one class per sender on the port of the receiver, chosen by both of its addresses', () => {
    const commands = linkCommands(to, [
      { host: near, figures: UNTOUCHED },
      { host: far, figures: { ...UNTOUCHED, latencyMs: 55, jitterMs: 1, lossRatio: 0.0001 } },
    ]);
    expect(commands).toEqual([
      'qdisc add dev lab1 root handle 1: htb default 0',
      'class add dev lab1 parent 1: classid 1:1 htb rate 10gbit quantum 60000',
      'qdisc add dev lab1 parent 1:1 handle 100: netem limit 100000 delay 55ms 1ms distribution normal loss random 0.01%',
      `filter add dev lab1 parent 1: protocol ip prio 4 u32 match ip src ${far.address}/32 flowid 1:1`,
      `filter add dev lab1 parent 1: protocol ipv6 prio 6 u32 match ip6 src ${far.address6}/128 flowid 1:1`,
    ]);
  });

  it('are nothing at all where no figure does anything', () => {
    expect(linkCommands(to, [{ host: near, figures: UNTOUCHED }])).toEqual([]);
  });

  it('give netem a queue that cannot turn delay into loss, or the one that was asked for', () => {
    expect(netemArguments({ ...UNTOUCHED, latencyMs: 300 })).toBe('limit 100000 delay 300ms');
    expect(netemArguments({ ...UNTOUCHED, rateKbit: 1_000, queueBytes: 15_000 })).toBe(
      'limit 10 rate 1000kbit',
    );
  });

  it('give netem a delay to reorder by, without which it refuses', () => {
    const figures = { ...UNTOUCHED, reorderRatio: 0.005, reorderByMs: 8 };
    expect(netemArguments(figures)).toBe('limit 100000 delay 8ms reorder 0.5%');
  });
});
