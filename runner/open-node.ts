import { readFile } from 'node:fs/promises';
import { codeOf, FaultError } from '../kit/errors.ts';
import { NodeClient } from '../node/client.ts';
import type { OpenNode } from './node-api.ts';

/**
 * Opens the node at `baseUrl`, reading the token file each time: one client as long as the token stays the same.
 * The function throws FaultError `NODE_TOKEN_UNREADABLE`.
 */
export function nodeOpener(baseUrl: string, tokenPath: string): OpenNode {
  let current: { readonly token: string; readonly client: NodeClient } | undefined;
  return async () => {
    const token = await readToken(tokenPath);
    if (current?.token === token) return current.client;
    const previous = current;
    current = { token, client: new NodeClient({ baseUrl, token }) };
    await previous?.client.close();
    return current.client;
  };
}

async function readToken(path: string): Promise<string> {
  try {
    const token = (await readFile(path, 'utf8')).trim();
    if (token !== '') return token;
  } catch (cause) {
    throw new FaultError(
      'NODE_TOKEN_UNREADABLE',
      `cannot read the node's API token ${path}: ${codeOf(cause)}`,
      {
        details: { path },
        cause,
      },
    );
  }
  throw new FaultError('NODE_TOKEN_UNREADABLE', `the node's API token ${path} is empty`, {
    details: { path },
  });
}
