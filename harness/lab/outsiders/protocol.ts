import { z } from 'zod';
import { OUTSIDER_KINDS } from '../../../scenarios/outsiders.ts';

/**
 * What the harness and the outsiders' program say to each other: one argument of JSON when it starts, then `report` as a
 * line on its stdin for each line of JSON on its stdout.
 */

const address = z.strictObject({ host: z.ipv4(), port: z.int().min(1).max(65_535) });
export type OutsiderAddress = z.infer<typeof address>;

export const OUTSIDERS_MAX = 32;

export const outsidersConfig = z.strictObject({
  network_id: z.string().min(1).describe('of the mesh that they attack'),
  seed: z.int(),
  outsiders: z
    .array(
      z.strictObject({
        kind: z.enum(OUTSIDER_KINDS),
        bind: address.describe('where its socket is'),
        targets: z.array(address).min(1).max(64),
      }),
    )
    .min(1)
    .max(OUTSIDERS_MAX),
});
export type OutsidersConfig = z.infer<typeof outsidersConfig>;

const count = z.int().min(0);

/** One per outsider, in the order of the configuration. */
export const outsidersReport = z.array(
  z.strictObject({
    kind: z.enum(OUTSIDER_KINDS),
    dialled: count,
    handshakes: count,
    refused: count,
    frames_sent: count,
    closed_by_peer: count,
  }),
);
export type OutsidersReport = z.infer<typeof outsidersReport>;
