import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureBundle } from '../harness/deploy/bundle.ts';
import type { Fleet } from '../harness/fleet/mesh-host.ts';
import { LocalMesh } from '../harness/lab/local-mesh.ts';
import type { ProgressEvent } from '../harness/progress/progress.ts';
import { executeRun } from '../harness/run/execute-run.ts';
import { NodeClient } from '../node/client.ts';

type Answer = (response: ServerResponse) => void;

/** What a diagnostics endpoint may do instead of telling the truth. */
const LIES: Readonly<Record<string, Answer>> = {
  'an error 500': (response) => response.writeHead(500).end('{"ok":false,"error":"boom"}'),
  garbage: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":tru'),
  'a body without its counters': (response) =>
    response.writeHead(200).end('{"ok":true,"boot_id":"x","uptime_secs":1}'),
  nothing: () => {},
};

/** Stands before a node's API and passes everything on, except what `lie` answers. */
async function proxyBefore(
  target: URL,
  lie: (incoming: IncomingMessage) => Answer | null,
  undo: AsyncDisposableStack,
): Promise<string> {
  const server = createServer((incoming, response) => {
    const answer = lie(incoming);
    if (answer) return answer(response);
    const onward = request(
      {
        host: target.hostname,
        port: target.port,
        path: incoming.url,
        method: incoming.method,
        headers: incoming.headers,
      },
      (reply) => {
        response.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.defer(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

describe.concurrent('a node whose gossip diagnostics answer', () => {
  it.for(Object.keys(LIES))('%s makes the run INCONCLUSIVE, naming it', async (kind) => {
    await using undo = new AsyncDisposableStack();
    const home = await mkdtemp(join(tmpdir(), 'meshproof-lies-'));
    undo.defer(() => rm(home, { recursive: true, force: true }));
    const bundle = await ensureBundle();
    const events: ProgressEvent[] = [];
    const exitCode = await executeRun(
      {
        command: ['run'],
        nodes: ['node1', 'node2', 'node3'].map((name) => ({ name, region: null })),
        anchor: 'node1',
        control: 'loopback',
        expectPath: 'raw_quic_acked',
        scenarios: [{ name: 'baseline', options: { settle_secs: 5 } }],
        soak: null,
        gate: 'limited-production',
        proofDir: join(home, 'proof'),
        seed: 7,
        discoverMs: 20_000,
        telemetryEveryMs: 2_000,
      },
      {
        bundle,
        network: 'test',
        progress: { show: (event) => events.push(event), close: () => {} },
        startFleet: async (plan, operatorKeys, signal): Promise<Fleet> => {
          const mesh = await LocalMesh.start(
            {
              names: plan.roster.map(({ name }) => name),
              anchor: plan.anchor,
              bundle,
              networkId: plan.network,
              operatorKeys,
              basePort: undefined,
            },
            signal,
          );
          const liar = mesh.hosts[1];
          if (!liar) throw new Error('no second host');
          const lie = ({ url }: IncomingMessage) =>
            url?.startsWith('/diagnostics/gossip') ? (LIES[kind] ?? null) : null;
          const baseUrl = await proxyBefore(new URL(liar.api.baseUrl), lie, undo);
          mesh.hosts[1] = { ...liar, node: new NodeClient({ ...liar.api, baseUrl }) };
          return mesh;
        },
      },
      AbortSignal.timeout(60_000),
    );
    expect(exitCode, JSON.stringify(events.slice(-5))).toBe(2);
    const judged = events.find((event) => event.event === 'judged');
    expect(judged).toMatchObject({ verdict: 'INCONCLUSIVE' });
    expect(JSON.stringify(judged)).toMatch(/node2/);
    expect(JSON.stringify(judged)).not.toMatch(/node3.*unreadable/);
  });
});
