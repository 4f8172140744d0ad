import { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';

/**
 * A channel as a stream that behaves: ssh2's own neither closes nor fails when the connection under it ends, and
 * leaves writes hanging. When `lost` aborts, this one is destroyed with its reason, so that a cut connection is never
 * taken for the end of what was sent.
 */
export function tunnelOver(channel: ClientChannel, lost: AbortSignal): Duplex {
  let writing: ((error?: Error) => void) | null = null;
  const onLost = () => tunnel.destroy(lost.reason);
  const tunnel = new Duplex({
    allowHalfOpen: false,
    read: () => {
      channel.resume();
    },
    write: (chunk, _encoding, done) => {
      if (!channel.writable) return done(brokenPipe());
      writing = done;
      channel.write(chunk, () => {
        if (writing === done) writing = null;
        done();
      });
    },
    final: (done) => {
      channel.end();
      done();
    },
    destroy: (error, done) => {
      lost.removeEventListener('abort', onLost);
      channel.close();
      done(error);
    },
  });
  channel.on('data', (chunk: Buffer) => {
    if (!tunnel.push(chunk)) channel.pause();
  });
  channel.once('end', () => {
    if (!lost.aborted) tunnel.push(null);
  });
  channel.once('close', () => {
    if (!lost.aborted) writing?.(brokenPipe());
  });
  lost.addEventListener('abort', onLost, { once: true });
  if (lost.aborted) onLost();
  return tunnel;
}

function brokenPipe(): Error {
  return Object.assign(new Error('the other end of the tunnel closed'), { code: 'EPIPE' });
}
