import { renderTerminal } from '../../proofs/reports/terminal.ts';
import { checkGateKnown } from '../run/check-gate-fits.ts';
import { exitCodeOfVerdict } from '../run/exit-code.ts';
import { judgeProof } from '../run/judge-proof.ts';
import { loadGate, shippedGates } from '../run/load-gate.ts';
import type { Command, Exit } from './command.ts';
import { print } from './print.ts';
import { terminalStyle } from './terminal-style.ts';

/** `meshproof gate`: judge a proof again, and see what gates there are. */
export function gateCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      yargs
        .command({
          command: 'check <dir>',
          describe: 'judge the proof in <dir>, by the gate it was sealed with or another',
          builder: (sub) =>
            sub
              .positional('dir', { type: 'string', demandOption: true, describe: 'proof directory' })
              .option('gate', {
                group: 'Evidence',
                type: 'string',
                requiresArg: true,
                describe: 'gate by name, or a .toml file',
              })
              .option('json', {
                group: 'Evidence',
                type: 'boolean',
                default: false,
                describe: 'print the verdict as JSON',
              })
              .example('$0 gate check DIR', 'the same verdict as the run gave')
              .example(
                '$0 gate check DIR --gate broad-launch',
                'what a stricter gate says of the same evidence',
              ),
          handler: async ({ dir, gate, json }) => {
            const by = gate === undefined ? undefined : await loadGate(gate);
            if (by !== undefined) checkGateKnown(by);
            const { proof, verdict } = await judgeProof(dir, by);
            await print(
              json
                ? `${JSON.stringify(verdict, null, 2)}\n`
                : renderTerminal(proof, verdict, terminalStyle()),
            );
            exit(exitCodeOfVerdict(verdict.overall));
          },
        })
        .command({
          command: 'list',
          describe: 'the gates that ship with meshproof',
          builder: (sub) => sub.example('$0 gate list', 'their names, and what each is for'),
          handler: async () => {
            for (const name of await shippedGates()) {
              const { gate } = await loadGate(name);
              await print(`${name.padEnd(20)} ${gate.description}\n`);
            }
          },
        })
        .demandCommand(1, 'gate: say what to do: check or list'),
    handler: () => {},
  };
}
