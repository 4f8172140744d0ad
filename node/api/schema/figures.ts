import * as z from 'zod';

/** Kinds of figures in the API's bodies. A figure that is not known is `null`, never 0. */

/** Whole number that only grows while the process lives. */
export const counter = z.int().min(0);
/** Whole number of now. */
export const gauge = z.int().min(0);
/** Any finite number, of now or derived. */
export const figure = z.number();
/** A share between 0 and 1. */
export const share = z.number().min(0).max(1);
/** Milliseconds, whole or not, of a length of time. */
export const milliseconds = z.number().min(0);
/** Unix wall clock, milliseconds. */
export const unixMs = z.int().min(0);

/** 32 bytes as 64 lowercase hex characters: an agent, machine or message id. */
export const hex64 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lowercase hex characters');
/** A machine id, whole or shortened to no less than 16 hex characters; readers match by prefix either way. */
export const peerHex = z.string().regex(/^[0-9a-f]{16,64}$/, 'expected 16 to 64 lowercase hex characters');
/** `host:port`, IPv6 hosts in brackets. */
export const hostPort = z.string().regex(/^(\[[0-9a-fA-F:.%]+\]|[^:\s]+):\d{1,5}$/, 'expected host:port');

/** Standard base64 with padding. A character class and no more, since payloads have millions of characters. */
export const base64 = z
  .string()
  .refine(
    (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
    'expected standard base64 with padding',
  );
