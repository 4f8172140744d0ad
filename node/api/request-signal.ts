import type { ServerResponse } from 'node:http';

/** Aborts when the client goes away before it has its answer: work that nobody waits for should stop. */
export function abortedWhenGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new Error('the client went away'));
  });
  return controller.signal;
}
