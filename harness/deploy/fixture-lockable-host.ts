import { fixtureHost } from '../fleet/fixture-host.ts';
import type { Host, HostSession } from '../fleet/host.ts';

/** Test-only: a host whose only session prints `lines` and then ends with `ending`; its commands print `looks`. */
export function lockableHost(
  name: string,
  lines: readonly string[],
  ending: Awaited<HostSession['ended']> = { code: 0, stderr: '' },
  looks = 'end',
): Host {
  const session: HostSession = {
    send: () => {},
    lines: (async function* () {
      yield* lines;
    })(),
    ended: Promise.resolve(ending),
    [Symbol.asyncDispose]: async () => {},
  };
  return { ...fixtureHost(name, () => looks), session: async () => session };
}
