import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOSTS_MAX, planLab } from './lab-plan.ts';

describe('the plan of a lab', () => {
  it('is the same for the same directory, and shares no name with that of another', () => {
    const here = planLab('/var/lib/lab-a', 3);
    const there = planLab('/var/lib/lab-b', 3);
    expect(planLab('/var/lib/lab-a', 3)).toEqual(here);
    const names = (plan: typeof here) => [plan.network, ...plan.hosts.map(({ machine }) => machine)];
    expect(names(here).filter((name) => names(there).includes(name))).toEqual([]);
    expect(here.prefix.startsWith(there.prefix)).toBe(false);
  });

  it('gives every host valid addresses of its own, on private networks only', () => {
    const directory = fc.stringMatching(/^\/[a-z0-9._-]{1,40}$/);
    fc.assert(
      fc.property(directory, fc.integer({ min: 1, max: HOSTS_MAX }), (dir, count) => {
        const { hosts, gateway, gateway6 } = planLab(dir, count);
        const v4 = [gateway, ...hosts.map(({ address }) => address)];
        const macs = hosts.map(({ mac }) => mac);
        expect(macs.every((mac) => /^02(:[0-9a-f]{2}){5}$/.test(mac))).toBe(true);
        expect(new Set(macs).size).toBe(count);
        const v6 = [gateway6, ...hosts.map(({ address6 }) => address6)];
        expect(v4.every((address) => isIPv4(address) && address.startsWith('10.213.'))).toBe(true);
        expect(v6.every((address) => isIPv6(address) && address.startsWith('fd'))).toBe(true);
        expect(new Set([...v4, ...v6]).size).toBe(2 * (count + 1));
      }),
    );
  });

  it('keeps a host where it was when the lab grows', () => {
    expect(planLab('/var/lib/lab', 6).hosts.slice(0, 2)).toEqual(planLab('/var/lib/lab', 2).hosts);
  });

  it('refuses a directory that the options of a mount would tear apart', () => {
    for (const dir of ['/var/lib/a,b', '/var/lib/a:b', '/var/lib/a b', 'lab', '/var/$(x)']) {
      expect(() => planLab(dir, 1), dir).toThrow(/lab directory/);
    }
  });
});
