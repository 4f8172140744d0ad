import { expect, it } from 'vitest';
import { NodeClient } from '../../node/client.ts';
import { fixtureHost } from '../fleet/fixture-host.ts';
import { ARTIFACT, lookOf, RELEASE, TARGET, VIEW } from './fixture-deployment.ts';
import type { HostLook } from './host-look.ts';
import { rollOut } from './roll-out.ts';
import { Site } from './site.ts';
import type { Surveyed } from './survey.ts';

const OLD = 'old-release';
const never = new AbortController().signal;
const INTERRUPTS = { signal: never, abandon: never };

/** A host with a release that runs, and the new one beside it; what scripts make current is. */
class UpgradingSite extends Site {
  current = OLD;
  readonly made: string[] = [];
  readonly #releases = [OLD, RELEASE.id].map((id) => ({ id, version: ARTIFACT.digest, installedAtSecs: 1 }));
  readonly #changes: Parameters<typeof lookOf>[0];

  constructor(changes: Parameters<typeof lookOf>[0] = {}) {
    const host = fixtureHost(TARGET.name, (argv) => {
      const made = [OLD, RELEASE.id].find((id) => argv.at(-1) === id);
      if (made !== undefined) this.made.push(made);
      this.current = made ?? this.current;
      return '';
    });
    super(TARGET, host);
    this.#changes = changes;
  }

  override async look(): Promise<HostLook> {
    return lookOf({ ...this.#changes, currentRelease: this.current, releases: this.#releases });
  }

  override async view() {
    return VIEW;
  }

  override async client() {
    return new NodeClient({ baseUrl: 'http://127.0.0.1:9', token: '' });
  }
}

/** Rolls out to one host whose lock is as `holds` says each time that it is asked. */
async function upgrade(site: UpgradingSite, holds: readonly (() => 'held' | 'taken')[]) {
  const plan = {
    host: site.name,
    change: 'upgrade',
    release: RELEASE,
    from: OLD,
    fromVersion: ARTIFACT.digest,
  } as const;
  const surveyed: Surveyed = {
    site,
    look: await site.look(),
    view: { silent: 'nothing runs' },
    plan: { ...plan, steps: [], refusals: [] },
  };
  const left = [...holds];
  const locks = { hold: async () => left.shift()?.() ?? 'held' };
  const artifact = { ...ARTIFACT, archive: '' };
  const options = { artifact, parallel: null, strangers: [], locks, tell: () => {} };
  const [report] = await rollOut([surveyed], options, INTERRUPTS);
  return report;
}

const taken = () => 'taken' as const;
const held = () => 'held' as const;

it.each([
  ['is held still', held],
  ['had to be taken again, with the host as it was', taken],
])('changes a host over whose lock %s', async (_, hold) => {
  const site = new UpgradingSite();
  expect(await upgrade(site, [hold])).toMatchObject({ outcome: 'upgraded', problems: [] });
  expect(site.made).toEqual([RELEASE.id]);
});

it('leaves a host alone that another deployment changed while its lock was lost', async () => {
  const site = new UpgradingSite();
  const report = await upgrade(site, [
    () => {
      site.current = 'their-release';
      return 'taken';
    },
  ]);
  expect(report).toMatchObject({ outcome: 'failed', problems: [{ code: 'DEPLOY_LOCKED' }] });
  expect(site.made).toEqual([]);
});

it('leaves a host alone whose lock somebody else holds', async () => {
  const site = new UpgradingSite();
  const locked = () => {
    throw Object.assign(new Error('held'), { code: 'DEPLOY_LOCKED' });
  };
  const report = await upgrade(site, [locked]);
  expect(report).toMatchObject({ outcome: 'failed', problems: [{ code: 'DEPLOY_LOCKED' }] });
  expect(site.made).toEqual([]);
});

it('takes back what is not as it should be, unless another deployment has come between', async () => {
  const unlike = { digests: new Map<string, string>() };
  const mine = new UpgradingSite(unlike);
  expect(await upgrade(mine, [held, taken])).toMatchObject({ outcome: 'rolled_back' });
  expect(mine.made).toEqual([RELEASE.id, OLD]);

  const theirs = new UpgradingSite(unlike);
  const report = await upgrade(theirs, [
    held,
    () => {
      theirs.current = 'their-release';
      return 'taken';
    },
  ]);
  expect(report).toMatchObject({
    outcome: 'failed',
    problems: expect.arrayContaining([
      expect.objectContaining({ code: 'DEPLOY_LOCKED', message: expect.stringMatching(/taking it back/) }),
    ]),
  });
  expect(theirs.made).toEqual([RELEASE.id]);
});
