import { Socket } from 'node:net';

/** The environment variable that tells a child which file descriptor is its lifeline. */
export const LIFELINE_FD = 'MESHPROOF_LIFELINE_FD';

/**
 * Calls `gone` once when the parent that started this process is no more, however it ended: the parent holds the
 * write end of a pipe, and the kernel closes it with the parent. Without a lifeline in the environment nothing
 * happens: a node started by hand or by systemd has no parent to outlive. Gives a function that lets go of the pipe.
 */
export function onParentGone(gone: () => void): () => void {
  const fd = Number(process.env[LIFELINE_FD] ?? '');
  if (!Number.isInteger(fd) || fd < 3) return () => {};
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.once('close', gone);
  pipe.on('error', () => {}); // a broken pipe closes, and 'close' is what is listened for
  pipe.resume();
  pipe.unref();
  return () => {
    pipe.off('close', gone);
    pipe.destroy();
  };
}
