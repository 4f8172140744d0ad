// The program of a node: `main.ts --config FILE [--json]`. Parses, starts, and stops on signals.
import { parseArgs } from 'node:util';
import { causesOf, FaultError, messageOf, UsageError } from '../kit/errors.ts';
import { onParentGone } from '../kit/lifeline.ts';
import { serviceManager } from '../kit/systemd-notify.ts';
import { formatAddress } from './api/address.ts';
import { VERSION } from './api/version.ts';
import { loadConfig } from './config.ts';
import { createLog } from './log.ts';
import { MeshNode, type RunningNode } from './node.ts';

const STOP_WATCHDOG_MS = 4_500; // the promise is 5 s from the signal to the end of the process
const EXIT = { stopped: 0, fault: 5, usage: 64, internal: 70 } as const;
const USAGE = 'usage: meshproof-node --config FILE [--json]';

function commandLine(): { readonly config: string; readonly json: boolean } | 'version' | 'help' {
  const options = {
    config: { type: 'string' },
    json: { type: 'boolean', default: false },
    version: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options, allowPositionals: false });
    if (values.help) return 'help';
    if (values.version) return 'version';
    if (values.config === undefined) throw new UsageError('CONFIG_MISSING', '--config FILE is missing');
    return { config: values.config, json: values.json };
  } catch (cause) {
    throw new UsageError('BAD_ARGUMENTS', `${messageOf(cause)}; ${USAGE}`, { cause });
  }
}

function announce(node: RunningNode, asJson: boolean): void {
  const udp = formatAddress(node.udpAddress);
  const api = formatAddress(node.apiAddress);
  const { agentId: agent, machineId: machine, bootId: boot_id, signingBackend: signing } = node;
  const line = asJson
    ? JSON.stringify({
        event: 'listening',
        udp,
        api,
        agent,
        machine,
        boot_id,
        pid: process.pid,
        version: VERSION,
        signing,
      })
    : `listening udp=${udp} api=${api} agent=${agent} machine=${machine} signing=${signing}`;
  process.stdout.write(`${line}\n`);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof FaultError ? EXIT.fault : EXIT.internal;
}

async function run(configFile: string, asJson: boolean): Promise<void> {
  const config = await loadConfig(configFile);
  const log = createLog(config);
  let unhandledErrors = 0;
  // One bad datagram or request must not take the node with it; the count shows in diagnostics and `/status`.
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (err: unknown) => {
      unhandledErrors += 1;
      log.error({ err, causes: causesOf(err) }, `${event}: ${messageOf(err)}`);
    });
  }
  process.stdout.on('error', () => {}); // nobody reads the announcement; not a reason to end

  let stopping = false;
  const stop = async (why: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    const watchdog = setTimeout(() => {
      log.error({ why }, `did not stop within ${STOP_WATCHDOG_MS} ms; ending the process`);
      process.exit(EXIT.internal);
    }, STOP_WATCHDOG_MS);
    await node.stop();
    clearTimeout(watchdog);
    process.exit(EXIT.stopped);
  };
  const node = new MeshNode(config, {
    log,
    onShutdownRequested: () => void stop('shutdown requested'),
    unhandledErrors: () => unhandledErrors,
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => void stop(signal));
  onParentGone(() => void stop('the parent is gone'));
  const manager = serviceManager({ onFailure: (why) => log.warn(why) });
  announce(await node.start(), asJson);
  manager.ready();
}

try {
  const command = commandLine();
  if (command === 'help') process.stdout.write(`${USAGE}\n`);
  else if (command === 'version') process.stdout.write(`${VERSION}\n`);
  else await run(command.config, command.json);
} catch (error) {
  // One line and no stack: this is for the person who started it.
  process.stderr.write(`meshproof-node: ${messageOf(error)}\n`);
  process.exit(exitCodeOf(error));
}
