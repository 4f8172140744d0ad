import { describe, expect, it } from 'vitest';
import { queuesByPort } from './port-links.ts';

const SHOWN = `qdisc noqueue 0: dev lo root refcnt 2
qdisc htb 1: dev lab1 root refcnt 5 r2q 10 default 0 direct_packets_stat 0 direct_qlen 1000
qdisc netem 101: dev lab1 parent 1:2 limit 100000 delay 35ms  1ms loss 0.01%
qdisc netem 100: dev lab1 parent 1:1 limit 100000 delay 55ms  1ms
qdisc noqueue 0: dev lab2 root refcnt 2
qdisc netem 100: dev lab10 parent 1:1 limit 100000 delay 55ms  1ms
`;

describe('the ports of a lab', () => {
  it('show how many queues of netem each bears', () => {
    expect([...queuesByPort(SHOWN)]).toEqual([
      ['lab1', 2],
      ['lab10', 1],
    ]);
  });
});
