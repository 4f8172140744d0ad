import * as z from 'zod';
import { FaultError } from '../../kit/errors.ts';
import { OUTSIDER_KINDS, type OutsiderKind } from '../../scenarios/outsiders.ts';

/**
 * What the harness and the outsiders' program say to each other, in lines: the configuration, answered by `listening`; then
 * anything, answered by a report. Each line is answered by one, in order.
 */

const host = z.union([z.ipv4(), z.ipv6()]);
const port = z.int().min(1).max(65_535);
const address = z.strictObject({ host, port });
export type OutsiderAddress = z.infer<typeof address>;

const OUTSIDERS_MAX = 32;

export const outsidersConfig = z.strictObject({
  network_id: z.string().min(1).describe('of the mesh that they attack'),
  seed: z.int(),
  silence_max_ms: z
    .int()
    .min(1)
    .nullable()
    .describe('they end when nothing was said to them for so long; null where a lifeline tells them'),
  outsiders: z
    .array(
      z.strictObject({
        kind: z.enum(OUTSIDER_KINDS),
        bind: z
          .strictObject({ host, port: z.union([z.literal(0), port]) })
          .describe('where its socket is; port 0 is any free one'),
        targets: z.array(address).min(1).max(64),
      }),
    )
    .min(1)
    .max(OUTSIDERS_MAX),
});
export type OutsidersConfig = z.infer<typeof outsidersConfig>;

/** The program's answer to its configuration. */
export const LISTENING = 'listening';

const count = z.int().min(0);

/** One per outsider, in the order of the configuration. */
export const outsidersReport = z.array(
  z.strictObject({
    kind: z.enum(OUTSIDER_KINDS),
    dialled: count,
    handshakes: count,
    refused: count,
    last_refusal: z.string().nullable().describe('code of the last dial that failed'),
    frames_sent: count,
    closed_by_peer: count,
  }),
);
export type OutsidersReport = z.infer<typeof outsidersReport>;

/** @throws FaultError `OUTSIDERS_UNAVAILABLE` */
export function requireRoom(kinds: readonly OutsiderKind[]): void {
  if (kinds.length <= OUTSIDERS_MAX) return;
  const why = `${kinds.length} outsiders are more than the ${OUTSIDERS_MAX} that there is room for`;
  throw new FaultError('OUTSIDERS_UNAVAILABLE', why);
}
