import { FaultError } from '../../kit/errors.ts';
import type { ExecOptions, Host } from '../fleet/host.ts';
import { UNIT_PREFIX } from './host-unit.ts';

type Limits = Pick<ExecOptions, 'budgetMs' | 'signal'>;

/** For systemctl: the units of any run and version. */
const ALL_UNITS = `${UNIT_PREFIX}*.service`;
const UNIT_NAME = new RegExp(`^${UNIT_PREFIX}(?:(.+)-\\d+)?.*\\.service$`);

/** Outsiders that are on a host now. */
interface StandingOutsiders {
  readonly unit: string;
  /** Null where the name does not tell. */
  readonly runId: string | null;
}

/**
 * The units of outsiders on `host`, of any run and version.
 * @throws FaultError `UNITS_UNREADABLE`; what `Host.exec` throws
 */
export async function standingOutsiders(
  host: Pick<Host, 'name' | 'exec'>,
  limits: Limits,
): Promise<readonly StandingOutsiders[]> {
  const argv = ['systemctl', 'list-units', '--all', '--plain', '--no-legend', ALL_UNITS];
  return unitsIn(await runSystemctl(host, argv, limits));
}

/**
 * Ends them, and looks again.
 * @throws FaultError `NOT_CLEAN` when one stands even so; else as `standingOutsiders`
 */
export async function endOutsiders(host: Pick<Host, 'name' | 'exec'>, limits: Limits): Promise<void> {
  await runSystemctl(host, ['systemctl', 'stop', ALL_UNITS], limits);
  const left = await standingOutsiders(host, limits);
  if (left.length === 0) return;
  const units = left.map(({ unit }) => unit);
  throw new FaultError('NOT_CLEAN', `${host.name}: still there after stopping: ${units.join(', ')}`, {
    details: { host: host.name, units },
  });
}

async function runSystemctl(
  host: Pick<Host, 'name' | 'exec'>,
  argv: readonly string[],
  limits: Limits,
): Promise<string> {
  const { code, stdout, stderr } = await host.exec(argv, { ...limits, as: 'root' });
  if (code === 0) return stdout;
  const why = `${argv[0]} ${argv[1]} failed (${code}): ${stderr.trim()}`;
  throw new FaultError('UNITS_UNREADABLE', `${host.name}: ${why}`, { details: { host: host.name, code } });
}

function unitsIn(text: string): readonly StandingOutsiders[] {
  return text.split('\n').flatMap((line) => {
    const [unit = ''] = line.trim().split(/\s+/);
    const found = UNIT_NAME.exec(unit);
    return found === null ? [] : [{ unit, runId: found[1] ?? null }];
  });
}
