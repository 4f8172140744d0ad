import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, FRAME_BOUND_BYTES, FrameDecoder, FrameError } from './frames.ts';

const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });

function decode(maxBodyBytes: number, chunks: readonly Uint8Array[]): Uint8Array[] {
  const decoder = new FrameDecoder(maxBodyBytes);
  const frames: Uint8Array[] = [];
  for (const chunk of chunks) decoder.push(chunk, frames);
  return frames;
}

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => bytes.slice(places[index], end));
}

test('a frame is a u32 length, version 1 and the body', () => {
  expect(Buffer.from(encodeFrame(Buffer.from('mesh'))).toString('hex')).toBe('00000004016d657368');
  expect(Buffer.from(encodeFrame(new Uint8Array(0))).toString('hex')).toBe('0000000001');
});

test('each traffic class has the bound that the protocol names', () => {
  expect(FRAME_BOUND_BYTES).toEqual({
    control: 65_536,
    gossip: 2_097_152,
    direct: 16_842_752,
    bulk: 16_842_752,
    request: 16_842_752,
  });
});

test('concatenated frames come out whole and in order wherever the stream is cut', () => {
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map(encodeFrame));
      expect(decode(300, cutAt(stream, cuts)).map((body) => [...body])).toEqual(
        sent.map((body) => [...body]),
      );
    }),
  );
});

test('a stream cut at every single place gives the same frames', () => {
  const sent = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('three')];
  const stream = Buffer.concat(sent.map(encodeFrame));
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const frames = decode(16, [stream.subarray(0, cut), stream.subarray(cut)]);
    expect(frames.map((body) => Buffer.from(body).toString())).toEqual(['one', '', 'three']);
  }
});

test('a body does not change when the chunk it came in is used again', () => {
  const chunk = Buffer.from(encodeFrame(Buffer.from('keep')));
  const [body] = decode(16, [chunk]);
  chunk.fill(0);
  expect(Buffer.from(body ?? []).toString()).toBe('keep');
});

test('an end inside a frame is an error and an end between frames is not', () => {
  const stream = encodeFrame(Buffer.from('whole'));
  for (let length = 0; length <= stream.length; length += 1) {
    const decoder = new FrameDecoder(16);
    const frames: Uint8Array[] = [];
    decoder.push(stream.subarray(0, length), frames);
    if (length === 0 || length === stream.length) decoder.end();
    else {
      expect(frames).toEqual([]);
      expect(() => decoder.end()).toThrow(FrameError);
    }
  }
});

test('a length past the bound is refused before its bytes are awaited', () => {
  fc.assert(
    fc.property(fc.integer({ min: 101, max: 0xffff_ffff }), (claimed) => {
      const header = Buffer.alloc(5);
      header.writeUInt32BE(claimed);
      header[4] = 1;
      expect(() => decode(100, [header])).toThrow(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }));
    }),
  );
});

test('a version that is not ours is refused', () => {
  expect(() => decode(100, [Buffer.from('0000000102ff', 'hex')])).toThrow(
    expect.objectContaining({ code: 'FRAME_VERSION' }),
  );
});

test('a claimed length earns no memory ahead of its bytes', () => {
  const decoder = new FrameDecoder(16 * 1024 * 1024);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(16 * 1024 * 1024);
  header[4] = 1;
  decoder.push(header, []);
  decoder.push(new Uint8Array(1), []);
  expect(decoder.bufferedBytes).toBeLessThanOrEqual(64 * 1024 + 5);
});

test('garbage is frames or a typed error, and never holds more than the bound', () => {
  const maxBodyBytes = 512;
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 40 }), (chunks) => {
      const decoder = new FrameDecoder(maxBodyBytes);
      const frames: Uint8Array[] = [];
      try {
        for (const chunk of chunks) {
          decoder.push(chunk, frames);
          expect(decoder.bufferedBytes).toBeLessThanOrEqual(maxBodyBytes + 5);
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
      expect(frames.every((body) => body.length <= maxBodyBytes)).toBe(true);
    }),
  );
});
