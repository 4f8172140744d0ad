import { describe, expect, it } from 'vitest';
import { planLab } from './lab-plan.ts';
import { chooseDriver, routerProblem } from './link-driver.ts';
import { hostLinks } from './port-links.ts';
import { routerConfig } from './router-process.ts';

const HEAD = 'format = "meshproof.links.v1"\ndescription = "d"\nsource = "s"\n';
const linksOf = (figures: string, hosts = 2) => {
  const plan = planLab('/var/lib/lab', hosts);
  const links = hostLinks(plan, { name: 'test', text: `${HEAD}[default]\n${figures}` });
  if (links === undefined) throw new Error('a profile means links');
  return { plan, links };
};

describe('what makes links', () => {
  it('is the bridge for links that do nothing, without asking this machine', async () => {
    const { plan, links } = linksOf('');
    expect(await chooseDriver(plan, links, AbortSignal.abort())).toBe('bridge'); // would throw at the first command
    expect(await chooseDriver(plan, undefined, AbortSignal.abort())).toBe('bridge');
    const slow = linksOf('rtt_ms = 9\n');
    await expect(chooseDriver(plan, slow.links, AbortSignal.abort())).rejects.toThrow(/abort/);
  });

  it('is a router known by all of its figures and hosts', () => {
    const digestOf = ({ plan, links }: ReturnType<typeof linksOf>) => routerConfig(plan, links).sha256;
    const of9 = digestOf(linksOf('rtt_ms = 9\n'));
    expect(digestOf(linksOf('rtt_ms = 9\n'))).toBe(of9);
    expect(digestOf(linksOf('rtt_ms = 10\n'))).not.toBe(of9);
    expect(digestOf(linksOf('rtt_ms = 9\n', 3))).not.toBe(of9);
  });

  it('is amiss when the router is gone, gone round, of other figures, or not asked for', () => {
    const { plan, links } = linksOf('rtt_ms = 9\n');
    const { sha256 } = routerConfig(plan, links);
    expect(routerProblem(plan, links, 'whole', sha256)).toBeUndefined();
    expect(routerProblem(plan, links, 'broken', undefined)).toMatch(
      /has ended, and hosts are cut.*links\.log/,
    );
    expect(routerProblem(plan, links, 'broken', sha256)).toMatch(/^not all that hosts send/);
    expect(routerProblem(plan, linksOf('rtt_ms = 10\n').links, 'whole', sha256)).toMatch(/other figures/);
    expect(routerProblem(plan, linksOf('').links, 'whole', sha256)).toMatch(/^a link router stands/);
    expect(routerProblem(plan, undefined, 'whole', sha256)).toMatch(/^a link router stands/);
  });
});
