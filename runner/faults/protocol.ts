import { isIP } from 'node:net';
import * as z from 'zod';

/**
 * What the fault program of a host understands. One request per line (`serve`) or per run (`faults.js <op>`), one JSON
 * document back. It knows IP addresses and systemd units, never node names: the harness translates.
 *
 * A lease is one part of a fault, on one host, for a time: it ends by itself `ttl_ms` after it was applied or last
 * renewed, whoever has died. The pair `run_id`, `lease_id` names it.
 */

// Ids become parts of file names, nft tables (`meshproof_<run>_<lease>`) and timer units; the first `_` parts them.
const runId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/,
    'expected 1 to 64 letters, digits, "." or "-", a letter or digit first',
  )
  .describe('the run that asked for it');
const leaseId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'expected 1 to 64 letters, digits, ".", "_" or "-", a letter or digit first',
  )
  .describe('unique in its run');
const ttlMs = z
  .int()
  .min(500)
  .max(600_000)
  .describe('lifetime without renewal; faults of processes take about 1 s more');
const ipAddress = z
  .string()
  .refine(
    (text) => isIP(text) !== 0 && !text.includes('%'),
    'expected an IPv4 or IPv6 address without a zone',
  );
const unitName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,191}\.service$/,
    'expected the full name of a systemd service, as in "node.service"',
  );
const peers = z.array(ipAddress).min(1).max(1024);

const leaseKey = { run_id: runId, lease_id: leaseId } as const;

/** Packets that arrive from the peers are dropped, on any port; all of them, or only those larger than given. */
const cutLease = z.strictObject({
  ...leaseKey,
  kind: z.literal('cut'),
  ttl_ms: ttlMs,
  peers,
  larger_than_bytes: z
    .int()
    .min(0)
    .max(65_535)
    .nullable()
    .describe('length of the IP packet, headers included; null: every packet'),
});

/** Packets that this host sends to the peers are delayed, lost or limited. One shape per host at a time. */
const shapeLease = z.strictObject({
  ...leaseKey,
  kind: z.literal('shape'),
  ttl_ms: ttlMs,
  peers,
  delay_ms: z.number().min(0).max(60_000),
  jitter_ms: z.number().min(0).max(60_000).describe('standard deviation of a normal distribution'),
  loss_ratio: z.number().min(0).max(1),
  rate_kbit: z.int().min(8).max(100_000_000).nullable().describe('null: not limited'),
});

/** Every process of the unit is stopped by SIGSTOP, or the unit is stopped, until the lease ends. */
const processLease = z.strictObject({
  ...leaseKey,
  kind: z.enum(['pause', 'stop']),
  ttl_ms: ttlMs,
  unit: unitName,
});

export const leaseSchema = z.discriminatedUnion('kind', [cutLease, shapeLease, processLease]);
export type CutLease = z.infer<typeof cutLease>;
export type ShapeLease = z.infer<typeof shapeLease>;
export type ProcessLease = z.infer<typeof processLease>;
/** A lease as it travels to its host. */
export type HostLease = z.infer<typeof leaseSchema>;
export type LeaseKey = Readonly<{ run_id: string; lease_id: string }>;

/** Something of ours that stands on the host, found by looking at nft, tc, systemd and the processes. */
const standingSchema = z.strictObject({
  run_id: z.string().nullable(),
  lease_id: z.string().nullable(),
  what: z.string().describe('for a person: the object and where it stands'),
  in_force: z.boolean().describe('false: an inert leftover, as a table whose addresses have expired'),
  matched_packets: z.int().min(0).nullable(),
});
export type Standing = z.infer<typeof standingSchema>;

const leaseIds = z.array(leaseId).min(1).max(256);

/** By operation: what it takes, and what it gives when it went well. */
export const FAULT_OPERATIONS = {
  /** What this host can carry. `units`: those whose faults of processes are meant. */
  capabilities: {
    request: z.strictObject({ units: z.array(unitName).max(16).default([]) }),
    result: z.strictObject({
      kinds: z
        .record(z.enum(['cut', 'shape', 'pause', 'stop', 'restart']), z.string().nullable())
        .describe('null, or why this host cannot carry it'),
    }),
  },
  /** Idempotent. Answers when the kernel (or systemd) has taken it. */
  apply: {
    request: z.strictObject({ lease: leaseSchema }),
    result: z.strictObject({ took_ms: z.number() }),
  },
  renew: {
    request: z.strictObject({ run_id: runId, lease_ids: leaseIds, ttl_ms: ttlMs }),
    result: z.strictObject({
      renewed: z.array(leaseId),
      lost: z.array(leaseId).describe('no longer in force here, and not renewed'),
    }),
  },
  /** Idempotent, also for leases that this host never heard of or holds by halves. */
  revert: {
    request: z.strictObject({ run_id: runId, lease_ids: leaseIds }),
    result: z.strictObject({ took_ms: z.number() }),
  },
  /** An independent look: what the kernel and systemd hold of any run, not what was written down. */
  list: {
    request: z.strictObject({}),
    result: z.strictObject({ standing: z.array(standingSchema) }),
  },
  /** Looks as `list` does; with `heal` removes exactly that and looks again. */
  doctor: {
    request: z.strictObject({ heal: z.boolean().default(false) }),
    result: z.strictObject({
      found: z.array(standingSchema),
      remaining: z.array(standingSchema).describe('after healing; the same as `found` without it'),
    }),
  },
  /** Packets that met the rule of each lease since it was applied. */
  counters: {
    request: z.strictObject({ run_id: runId, lease_ids: leaseIds }),
    result: z.strictObject({
      matched: z.record(leaseId, z.int().min(0).nullable()).describe('null where nothing counts them'),
    }),
  },
  /** TCP connections to a port of another host, one after another; a refusal is an answer. */
  probe: {
    request: z.strictObject({
      address: ipAddress,
      port: z.int().min(1).max(65_535),
      count: z.int().min(1).max(100),
      timeout_ms: z.int().min(10).max(30_000).describe('of each attempt'),
    }),
    result: z.strictObject({
      sent: z.int().min(1),
      answered: z.int().min(0),
      rtt_ms: z.number().nullable().describe('median of the answered; null when none was'),
    }),
  },
  process: {
    request: z.strictObject({ unit: unitName }),
    result: z.strictObject({
      state: z.enum(['running', 'paused', 'stopped', 'gone']).describe('gone: no such unit'),
      pid: z.int().min(1).nullable(),
    }),
  },
  /** Answers when the old process has ended and a new one has been started. */
  restart: {
    request: z.strictObject({ unit: unitName }),
    result: z.strictObject({ pid: z.int().min(1), took_ms: z.number() }),
  },
} as const;

export type FaultOperation = keyof typeof FAULT_OPERATIONS;
/** The body of a request, as the program has parsed it. */
export type FaultRequest<Op extends FaultOperation> = z.infer<(typeof FAULT_OPERATIONS)[Op]['request']>;
export type FaultResult<Op extends FaultOperation> = z.infer<(typeof FAULT_OPERATIONS)[Op]['result']>;

export const FAULT_OPERATION_NAMES = Object.keys(FAULT_OPERATIONS) as readonly FaultOperation[];

/** The frame of a line in `serve`: `id` comes back in the answer. The body is parsed by its operation's schema. */
export const requestLineSchema = z.strictObject({
  id: z.int().min(0),
  op: z.enum(FAULT_OPERATION_NAMES),
  body: z.unknown(),
});

const failure = { ok: z.literal(false), code: z.string(), message: z.string() } as const;
const success = { ok: z.literal(true), result: z.unknown() } as const;
const lineId = z.int().min(0).nullable().describe('null: the line could not be read as a request');

/** The document of a one-shot run. Exit codes: 0 done, 5 it could not be done, 64 the request is wrong. */
export const answerSchema = z.discriminatedUnion('ok', [z.strictObject(success), z.strictObject(failure)]);
/** A line of `serve`. Answers may overtake each other. */
export const answerLineSchema = z.discriminatedUnion('ok', [
  z.strictObject({ id: lineId, ...success }),
  z.strictObject({ id: lineId, ...failure }),
]);
export type FaultAnswer = z.infer<typeof answerSchema>;
export type FaultAnswerLine = z.infer<typeof answerLineSchema>;
