import * as z from 'zod';
import { wireFigures, wireShape } from './link-figures.ts';

/**
 * What the harness and the link agent say to each other: one JSON line each way per request, over the agent's stdin and
 * stdout. Times are durations, so that neither needs the other's clock.
 */

const name = z.string().min(1).max(64);
const edge = z.tuple([name, name]).describe('directed: [from, to]');
const edges = z.array(edge).min(1).max(4_096);
const leaseIds = z.array(z.string().min(1).max(200)).max(1_024);
const ttlMs = z.number().min(1).max(3_600_000);

/** One part of a fault. */
const leaseSpec = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('cut'),
    edges,
    larger_than_bytes: z.int().min(0).nullable(),
    live_flow: z.boolean().describe('only connections whose handshake was seen before the lease began'),
  }),
  z.strictObject({ kind: z.literal('shape'), edges, shape: wireShape }),
  z.strictObject({ kind: z.literal('pause'), pid: z.int().min(2) }),
]);
export type AgentLeaseSpec = z.infer<typeof leaseSpec>;

const request = z.discriminatedUnion('op', [
  z
    .strictObject({
      op: z.literal('open'),
      members: z
        .array(z.strictObject({ name, host: z.ipv4(), port: z.int().min(1).max(65_535) }))
        .min(1)
        .max(64),
    })
    .describe('adds nodes, each linked with every other; gives the addresses by which they know each other'),
  z
    .strictObject({
      op: z.literal('profile'),
      links: z
        .array(z.strictObject({ edge, figures: wireFigures }))
        .min(1)
        .max(4_096),
    })
    .describe('sets what links do without faults, from now on'),
  z.strictObject({
    op: z.literal('apply'),
    lease: z.strictObject({
      id: z.string().min(1).max(200),
      ttl_ms: ttlMs,
      spec: leaseSpec,
    }),
  }),
  z.strictObject({ op: z.literal('renew'), ids: leaseIds, ttl_ms: ttlMs }),
  z.strictObject({ op: z.literal('revert'), ids: leaseIds }),
  z.strictObject({ op: z.literal('standing') }),
  z.strictObject({
    op: z.literal('probe'),
    edge,
    count: z.int().min(1).max(1_000),
    bytes: z.int().min(1).max(65_507),
    every_ms: z.number().min(0).max(10_000),
  }),
  z.strictObject({ op: z.literal('counters') }),
]);
export type AgentRequest = z.infer<typeof request>;
export type AgentOp = AgentRequest['op'];

const count = z.int().min(0);

/** What each request is answered with. */
export const answers = {
  open: z.strictObject({
    routes: z.array(z.strictObject({ at: name, to: name, address: z.string() })),
  }),
  profile: z.strictObject({}),
  apply: z.strictObject({}),
  renew: z.strictObject({ gone: z.array(z.string()) }),
  revert: z.strictObject({}),
  standing: z.strictObject({
    leases: z.array(
      z.strictObject({
        id: z.string(),
        spec: leaseSpec,
        remaining_ms: z.number(),
        matched_packets: count,
      }),
    ),
  }),
  probe: z.strictObject({ sent: count, answered: count, rtt_ms: z.number().nullable() }),
  counters: z.strictObject({
    foreign_datagrams: count.describe('from addresses that are no node of ours'),
    send_errors: count,
    links: z.array(
      z.strictObject({
        edge,
        offered: count,
        delivered: count,
        delivered_bytes: count,
        lost: count,
        queue_full: count,
        overflow: count,
        cut: count,
        reordered: count,
      }),
    ),
  }),
} satisfies Record<AgentOp, z.ZodType>;
export type AgentAnswer<Op extends AgentOp> = z.infer<(typeof answers)[Op]>;

/** A request as a line. */
export const requestLine = z.strictObject({ id: z.int(), request });

/** An answer as a line; `result` fits `answers[op]`. */
export const answerLine = z.union([
  z.strictObject({ id: z.int(), ok: z.literal(true), result: z.unknown() }),
  z.strictObject({ id: z.int(), ok: z.literal(false), code: z.string(), message: z.string() }),
]);
export type AnswerLine = z.infer<typeof answerLine>;
