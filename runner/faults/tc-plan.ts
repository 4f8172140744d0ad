import * as z from 'zod';
import { FaultError } from '../../kit/errors.ts';
import { NETEM_HANDLE, ROOT_HANDLE, SLOW_BAND } from './names.ts';
import type { ShapeLease } from './protocol.ts';

/** The qdisc side of a shape: command lines and what `tc` answers, without running anything. */

type Argv = readonly [string, ...string[]];

/** What stands at the root of a device. `foreign` was put there by somebody else and is never replaced. */
export type RootQdisc =
  | { readonly owner: 'kernel' | 'meshproof' }
  | { readonly owner: 'foreign'; readonly what: string };

const qdiscsSchema = z.array(
  z.object({
    kind: z.string(),
    handle: z.string(),
    dev: z.string().optional(),
    root: z.boolean().optional(),
  }),
);
type Qdisc = z.infer<typeof qdiscsSchema>[number];

/** What a kernel attaches by itself, as `net.core.default_qdisc` says, or none. */
const DEFAULT_KINDS: readonly string[] = [
  'noqueue',
  'noop',
  'pfifo_fast',
  'mq',
  'fq_codel',
  'fq',
  'pfifo',
  'bfifo',
];
/** Qdiscs for arriving packets; they stand beside the root, and ours leaves them alone. */
const INGRESS_KINDS: readonly string[] = ['ingress', 'clsact'];

/**
 * Whose qdiscs `device` carries, from `tc -j qdisc show`. What the kernel attached by itself has handle `0:`; whatever
 * has another handle was configured, even when its kind is a usual default.
 *
 * @throws FaultError `TC_UNREADABLE`
 */
export function rootQdiscOf(json: string, device: string): RootQdisc {
  const here = parseQdiscs(json).filter(({ dev, kind }) => dev === device && !INGRESS_KINDS.includes(kind));
  const root = here.find((qdisc) => qdisc.root === true);
  if (root !== undefined && isOwnRoot(root)) return { owner: 'meshproof' };
  const foreign = here.find(({ kind, handle }) => handle !== '0:' || !DEFAULT_KINDS.includes(kind));
  return foreign === undefined
    ? { owner: 'kernel' }
    : { owner: 'foreign', what: `${foreign.kind} ${foreign.handle} on ${device}` };
}

/** The devices whose root is ours. @throws FaultError `TC_UNREADABLE` */
export function ownDevices(json: string): readonly string[] {
  return parseQdiscs(json).flatMap((qdisc) =>
    qdisc.root === true && qdisc.dev !== undefined && isOwnRoot(qdisc) ? [qdisc.dev] : [],
  );
}

function isOwnRoot({ kind, handle }: Qdisc): boolean {
  return handle === ROOT_HANDLE && kind === 'prio';
}

function parseQdiscs(json: string): readonly Qdisc[] {
  try {
    return qdiscsSchema.parse(JSON.parse(json));
  } catch (cause) {
    throw new FaultError('TC_UNREADABLE', 'tc -j qdisc show gave something that is not a list of qdiscs', {
      cause,
    });
  }
}

/**
 * Four bands: the kernel's priority map sends everything to the first three, so band 4 carries only what the leased
 * set chose.
 */
export function addRootArgv(device: string): Argv {
  return ['tc', 'qdisc', 'add', 'dev', device, 'root', 'handle', ROOT_HANDLE, 'prio', 'bands', '4'];
}

/** Puts netem under band 4, or changes the one that stands there. */
export function netemArgv(device: string, lease: ShapeLease): Argv {
  return [
    ...(['tc', 'qdisc', 'replace', 'dev', device, 'parent', SLOW_BAND, 'handle', NETEM_HANDLE] as const),
    ...netemOptions(lease),
  ];
}

/** The handle makes the kernel refuse when the root has become somebody else's meanwhile. */
export function removeRootArgv(device: string): Argv {
  return ['tc', 'qdisc', 'del', 'dev', device, 'root', 'handle', ROOT_HANDLE];
}

// netem's own limit of 1000 packets turns delay into loss on a fast link.
const QUEUE_PACKETS = 100_000;

function netemOptions({ delay_ms, jitter_ms, loss_ratio, rate_kbit }: ShapeLease): readonly string[] {
  const delay = delay_ms > 0 || jitter_ms > 0 ? ['delay', `${delay_ms}ms`] : [];
  const jitter = jitter_ms > 0 ? [`${jitter_ms}ms`, 'distribution', 'normal'] : [];
  const loss = loss_ratio > 0 ? ['loss', 'random', `${(loss_ratio * 100).toFixed(4)}%`] : [];
  const rate = rate_kbit === null ? [] : ['rate', `${rate_kbit}kbit`];
  return ['netem', 'limit', String(QUEUE_PACKETS), ...delay, ...jitter, ...loss, ...rate];
}

/** For `tc -batch -` in a network namespace of its own: whether this kernel has all that a shape needs. */
export const SHAPE_TRIAL = [
  `qdisc add dev lo root handle ${ROOT_HANDLE} prio bands 4`,
  `qdisc add dev lo parent ${SLOW_BAND} handle ${NETEM_HANDLE} netem limit 1000 delay 10ms 1ms distribution normal`,
  '',
].join('\n');

/** Why `tc -batch -` refused `SHAPE_TRIAL`, from what it wrote to standard error. */
export function describeTrialFailure(stderr: string): string {
  const failedLine = /Command failed -:(\d+)/.exec(stderr)?.[1];
  const said = stderr.trim().split('\n')[0] ?? '';
  if (/qdisc kind is unknown/i.test(stderr)) {
    const lacking = failedLine === '2' ? 'netem (module sch_netem)' : 'prio (module sch_prio)';
    return `this kernel has no ${lacking}: tc says "${said}"`;
  }
  return `tc refused a trial qdisc: ${said}`;
}

const routesSchema = z.array(z.object({ dev: z.string(), type: z.string().optional() })).min(1);

/**
 * The device that leads to an address, from `ip -j route get`.
 * @throws FaultError `NO_ROUTE` when it is an address of this host, or nothing leads there
 */
export function deviceOfRoute(json: string, address: string): string {
  const routes = routesSchema.safeParse(parseJson(json));
  if (!routes.success) throw new FaultError('NO_ROUTE', `no route leads to ${address}`);
  const [route] = routes.data;
  if (route === undefined || route.type === 'local' || route.dev === 'lo') {
    throw new FaultError(
      'NO_ROUTE',
      `${address} is an address of this host itself; a shape needs another host`,
    );
  }
  return route.dev;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // `deviceOfRoute` reports it
  }
}
