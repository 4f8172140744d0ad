import { parseArgs } from 'node:util';
import pino from 'pino';
import { realClock } from '../kit/clock.ts';
import { createSigning } from '../kit/create-signing.ts';
import { codeOf, messageOf, UsageError } from '../kit/errors.ts';
import { onParentGone } from '../kit/lifeline.ts';
import { loadConfig } from './config.ts';
import { nodeOpener } from './open-node.ts';
import { Runner } from './runner.ts';

const STOP_BUDGET_MS = 4_500; // of the 5 s promised on SIGTERM
const EXIT = { ok: 0, fault: 5, usage: 64, internal: 70 } as const;

async function main(): Promise<void> {
  const config = loadConfig(configPath());
  const log = pino(
    { level: config.log_level, base: { node: config.node_name, role: 'runner' } },
    pino.destination(2),
  );
  const signing = await createSigning();
  const runner = new Runner(config, {
    open: nodeOpener(config.api_base, config.api_token_path),
    signing,
    clock: realClock,
    log,
  });

  const starting = new AbortController();
  let stopping = false;
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    starting.abort(new UsageError('STOPPED', why));
    setTimeout(() => process.exit(EXIT.fault), STOP_BUDGET_MS).unref();
    log.info({ why }, 'stopping');
    void runner
      .stop()
      .then(() => signing.close())
      .then(
        () => process.exit(EXIT.ok),
        (error: unknown) => fail(error),
      );
  };
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('SIGINT', () => stop('SIGINT'));
  onParentGone(() => stop('the parent process is gone'));
  process.on('unhandledRejection', (error) =>
    log.error({ code: codeOf(error), why: messageOf(error) }, 'unhandled'),
  );

  try {
    const { host, port } = await runner.start(starting.signal);
    process.stdout.write(`listening control=${host.includes(':') ? `[${host}]` : host}:${port}\n`);
  } catch (error) {
    if (stopping) return;
    await runner.stop();
    throw error;
  }
}

function configPath(): string {
  const usage = 'usage: runner --config FILE';
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' } } });
    if (values.config !== undefined) return values.config;
  } catch (cause) {
    throw new UsageError('FLAG_UNKNOWN', `${messageOf(cause)}; ${usage}`, { cause });
  }
  throw new UsageError('FLAG_MISSING', usage);
}

function fail(error: unknown): void {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(exitCodeOf(error));
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return codeOf(error) === 'UNKNOWN' ? EXIT.internal : EXIT.fault;
}

main().catch(fail);
