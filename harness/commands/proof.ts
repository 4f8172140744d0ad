import { renderTerminal } from '../../proofs/reports/terminal.ts';
import { judgeProof } from '../run/judge-proof.ts';
import type { Command, Exit } from './command.ts';
import { print } from './print.ts';
import { terminalStyle } from './terminal-style.ts';

/** `meshproof proof`: look at evidence. */
export function proofCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      yargs
        .command({
          command: 'show <dir>',
          describe: 'print the proof in <dir> as the reports tell it',
          builder: (sub) =>
            sub
              .positional('dir', { type: 'string', demandOption: true, describe: 'proof directory' })
              .example('$0 proof show DIR', 'verdict, windows, pairs, nodes'),
          handler: async ({ dir }) => {
            const { proof, verdict } = await judgeProof(dir);
            await print(renderTerminal(proof, verdict, terminalStyle()));
            exit(0);
          },
        })
        .demandCommand(1, 'proof: say what to do: show'),
    handler: () => {},
  };
}
