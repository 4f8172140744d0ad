// The program of a runner: `main.ts --config FILE`. Parses, starts, and stops on signals.
import { parseArgs } from 'node:util';
import pino from 'pino';
import { realClock } from '../kit/clock.ts';
import { createSigning } from '../kit/create-signing.ts';
import { codeOf, FaultError, messageOf, UsageError } from '../kit/errors.ts';
import { onParentGone } from '../kit/lifeline.ts';
import { serviceManager } from '../kit/systemd-notify.ts';
import manifest from '../package.json' with { type: 'json' };
import { loadConfig } from './config.ts';
import { nodeOpener } from './open-node.ts';
import { Runner } from './runner.ts';

const STOP_WATCHDOG_MS = 4_500; // the promise is 5 s from the signal to the end of the process
const EXIT = { stopped: 0, fault: 5, usage: 64, internal: 70 } as const;
const USAGE = 'usage: meshproof-runner --config FILE';

function commandLine(): { readonly config: string } | 'version' | 'help' {
  const options = {
    config: { type: 'string' },
    version: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options, allowPositionals: false });
    if (values.help) return 'help';
    if (values.version) return 'version';
    if (values.config === undefined) throw new UsageError('CONFIG_MISSING', '--config FILE is missing');
    return { config: values.config };
  } catch (cause) {
    throw new UsageError('BAD_ARGUMENTS', `${messageOf(cause)}; ${USAGE}`, { cause });
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof FaultError ? EXIT.fault : EXIT.internal;
}

async function run(configFile: string): Promise<void> {
  const config = loadConfig(configFile);
  const base = { role: 'runner', node: config.node_name };
  // Synchronous: the other kind tries a broken pipe again for ever when the process ends with a line under way.
  const stderr = pino.destination({ dest: 2, sync: true });
  stderr.on('error', () => {}); // whoever read the log is gone; that must not end the runner
  const log = pino({ level: config.log_level, base }, stderr);
  let unhandledErrors = 0;
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error: unknown) => {
      unhandledErrors += 1;
      log.error({ code: codeOf(error), why: messageOf(error) }, event);
    });
  }
  process.stdout.on('error', () => {}); // nobody reads the announcement; not a reason to end

  const signing = await createSigning();
  const open = nodeOpener(config.api_base, config.api_token_path);
  const runner = new Runner(config, {
    open,
    signing,
    clock: realClock,
    log,
    unhandledErrors: () => unhandledErrors,
  });
  const starting = new AbortController();
  let stopping = false;
  const stop = async (why: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    setTimeout(() => {
      log.error({ why }, `did not stop within ${STOP_WATCHDOG_MS} ms; ending the process`);
      process.exit(EXIT.internal);
    }, STOP_WATCHDOG_MS);
    starting.abort(new FaultError('RUNNER_STOPPING', `stopped by ${why}`));
    await runner.stop();
    await signing.close();
    process.exit(EXIT.stopped);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => void stop(signal));
  onParentGone(() => void stop('the end of the parent'));

  try {
    const { host, port } = await runner.start(starting.signal);
    process.stdout.write(`listening control=${host.includes(':') ? `[${host}]` : host}:${port}\n`);
    serviceManager({ onFailure: (why) => log.warn(why) }).ready();
  } catch (error) {
    if (!stopping) throw error;
  }
}

try {
  const command = commandLine();
  if (command === 'help') process.stdout.write(`${USAGE}\n`);
  else if (command === 'version') process.stdout.write(`${manifest.version}\n`);
  else await run(command.config);
} catch (error) {
  // One line and no stack: this is for the person who started it.
  process.stderr.write(`meshproof-runner: ${messageOf(error)}\n`);
  process.exit(exitCodeOf(error));
}
