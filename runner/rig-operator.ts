import * as z from 'zod';
import { until } from '../kit/deadline.ts';
import type { Signer } from '../kit/signing.ts';
import { sealCommand } from './command-envelope.ts';
import { type Command, type Result, type ResultPage, resultPageSchema } from './protocol.ts';
import type { RiggedRunner } from './runner-rig.ts';

const answerSchema = z.looseObject({ command_id: z.string().optional(), code: z.string().optional() });
const healthSchema = z.looseObject({
  streams: z.looseObject({ events: z.boolean() }),
  commands: z.looseObject({ duplicates: z.number() }),
});

/** A bare operator of rigged runners: seals, posts and fetches with nothing in between. For tests. */
export class RigOperator {
  readonly #signer: Signer;

  constructor(signer: Signer) {
    this.#signer = signer;
  }

  /** An envelope for `nyc`, unless `change` says otherwise. */
  async envelope(
    action: string,
    params: Command['params'] = {},
    change: Partial<Command> = {},
  ): Promise<string> {
    const command: Command = {
      command_id: crypto.randomUUID(),
      target_node: 'nyc',
      action,
      anchor_aid: null,
      issued_at_unix_ms: Date.now(),
      expires_at_unix_ms: Date.now() + 60_000,
      params,
      ...change,
    };
    return JSON.stringify(await sealCommand(command, this.#signer));
  }

  /** Has `runner` execute an action; gives the first result. */
  async execute(runner: RiggedRunner, action: string, params: Command['params'] = {}): Promise<Result> {
    const text = await this.envelope(action, params, { target_node: runner.name });
    const { status, body } = await post(runner, text);
    if (status !== 202) throw new Error(`${runner.name} answered ${status}: ${JSON.stringify(body)}`);
    return await resultOf(runner, (result) => result.command_id === body.command_id);
  }
}

export async function post(runner: RiggedRunner, body: string, token = runner.token) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(`${runner.baseUrl}/command`, { method: 'POST', headers, body });
  return { status: response.status, body: answerSchema.parse(await response.json()) };
}

export async function page(runner: RiggedRunner, query = ''): Promise<ResultPage> {
  return resultPageSchema.parse(await get(runner, `/results?${query}`));
}

export async function health(runner: RiggedRunner) {
  return healthSchema.parse(await get(runner, '/health'));
}

/** The first result that fits, once it is there. */
export function resultOf(runner: RiggedRunner, fits: (result: Result) => boolean): Promise<Result> {
  const find = async () => (await page(runner)).results.find(fits);
  return until('the result', find, { budgetMs: 5_000, everyMs: 10 });
}

async function get(runner: RiggedRunner, path: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${runner.token}` };
  return await (await fetch(`${runner.baseUrl}${path}`, { headers })).json();
}
