import { realClock } from '../../kit/clock.ts';
import { createSigning } from '../../kit/create-signing.ts';
import { UsageError } from '../../kit/errors.ts';
import { type Artifact, ensureArtifact, openArtifact } from '../deploy/artifact.ts';
import { deploy, verifyDeployment } from '../deploy/deploy.ts';
import { type DeployEvent, isWhole } from '../deploy/deploy-report.ts';
import { ensureOperatorKey, operatorKeyFile } from '../deploy/operator-key-file.ts';
import { renderPlan, renderReport } from '../deploy/print-report.ts';
import { type SurveyOptions, survey } from '../deploy/survey.ts';
import { EXIT } from '../run/exit-code.ts';
import type { Command, Exit } from './command.ts';
import { wholeNumber } from './flag-value.ts';
import { onFleet, tellInterrupt, withInventory } from './on-fleet.ts';
import { print } from './print.ts';

/** `meshproof deploy`: brings every host of an inventory to this meshproof's node and runner. */
export function deployCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      withInventory(yargs)
        .option('artifact', {
          type: 'string',
          requiresArg: true,
          describe: 'an archive by "npm run build:artifact"; without it, one is made of this meshproof',
        })
        .option('dry-run', { type: 'boolean', default: false, describe: 'look, and say what would be done' })
        .option('verify-only', {
          type: 'boolean',
          default: false,
          describe: 'change nothing; check that every host runs exactly this',
        })
        .option('parallel', {
          type: 'number',
          requiresArg: true,
          describe: 'hosts changed at a time (all on a fleet where nothing runs yet, else 1)',
        })
        .option('operator-key', {
          type: 'string',
          default: operatorKeyFile(),
          requiresArg: true,
          describe: 'the key that runners are to obey; made when missing',
        })
        .example('$0 deploy --inventory fleet.toml --dry-run', 'what it would do')
        .example('$0 deploy --inventory fleet.toml', 'do it, one host after the other where a mesh runs'),
    handler: async (argv) => {
      const parallel =
        argv.parallel === undefined ? null : wholeNumber('--parallel', argv.parallel, 1, 1_000);
      if (argv.dryRun === true && argv.verifyOnly === true)
        throw new UsageError(
          'BAD_FLAG',
          '--dry-run says what would be done, --verify-only what is: give one of them',
        );
      const file = argv.artifact === undefined ? undefined : String(argv.artifact);
      await onFleet(argv, async ({ inventory, sites, signal, abandon }) => {
        const startedMs = realClock.nowMs();
        const artifact: Artifact = await (file === undefined
          ? ensureArtifact('linux-x64')
          : openArtifact(file));
        const options: SurveyOptions = {
          sites: sites.chosen,
          mesh: sites.mesh,
          artifact,
          networkId: inventory.network,
          operatorKeys: [await publicKey(String(argv.operatorKey))],
        };
        if (argv.dryRun === true) {
          const { surveyed, unseen } = await survey(options, signal);
          await print(
            renderPlan(
              surveyed.map(({ plan }) => plan),
              unseen.map(({ problem }) => problem),
            ),
          );
          const isPossible = unseen.length === 0 && surveyed.every(({ plan }) => plan.refusals.length === 0);
          return exit(isPossible ? EXIT.go : EXIT.fault);
        }
        const tell = (event: DeployEvent) =>
          process.stderr.write(`${event.host}: ${event.event === 'step' ? event.text : event.outcome}\n`);
        const change = () => {
          tellInterrupt({ signal, abandon });
          return deploy({ ...options, parallel, tell }, { signal, abandon });
        };
        const report = await (argv.verifyOnly === true ? verifyDeployment(options, signal) : change());
        await print(renderReport(report, realClock.nowMs() - startedMs));
        signal.throwIfAborted();
        exit(isWhole(report) ? EXIT.go : EXIT.fault);
      });
    },
  };
}

async function publicKey(file: string): Promise<string> {
  const signing = await createSigning();
  try {
    return (await ensureOperatorKey(file, signing)).publicKeyBase64;
  } finally {
    await signing.close();
  }
}
