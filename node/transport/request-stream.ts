import quiche from '@matrixai/quic/native/quiche.js';
import type { Connection } from '@matrixai/quic/native/types.js';
import type { FrameDecoder } from './frames.ts';
import { READ_BUFFER_BYTES, readBuffer } from './inbound-stream.ts';
import type { ReceiveBuffer } from './receive-buffer.ts';

export const REQUEST_URGENCY = 1;
/** Why a request's stream is reset, as QUIC application error codes of the stream. */
export const STREAM_ERROR = { abandoned: 1, failed: 2, malformed: 3, overloaded: 4, expired: 5 } as const;

/**
 * Reads what QUIC has of a request's stream; without a decoder the bytes are thrown away.
 * @throws FrameError when the bytes are not frames; the native error when the peer reset the stream
 */
export function readFrames(
  connection: Connection,
  streamId: number,
  into: {
    readonly decoder: FrameDecoder | undefined;
    readonly buffer: ReceiveBuffer;
    readonly frames: Uint8Array[];
  },
): { readonly state: 'open' | 'ended'; readonly readBytes: number } {
  let readBytes = 0;
  for (;;) {
    const got = connection.streamRecv(streamId, readBuffer);
    if (got === null) return { state: 'open', readBytes };
    const [bytes, isEnd] = got;
    readBytes += bytes;
    if (into.decoder) into.buffer.decode(into.decoder, readBuffer.subarray(0, bytes), into.frames);
    if (isEnd) {
      into.decoder?.end();
      return { state: 'ended', readBytes };
    }
    if (bytes < READ_BUFFER_BYTES) return { state: 'open', readBytes };
  }
}

/** Ends both directions of a stream at once. */
export function resetStream(connection: Connection, streamId: number, code: number): void {
  for (const direction of [quiche.Shutdown.Read, quiche.Shutdown.Write]) {
    try {
      connection.streamShutdown(streamId, direction, code);
    } catch {
      // That direction is over already.
    }
  }
}
