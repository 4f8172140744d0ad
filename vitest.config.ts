import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest starts first, so that no group of files ends with one that all others wait for. */
const SLOWEST = `
  faults/cut-lease sim/gossip node/main ssh-host-lost
  kernel/kernel e2e/deploy never-a-wrong-go e2e/lab-links e2e/package e2e/dead-man e2e/lab ways-out harness-killed
  traffic/over-ssh service-scenarios harm-scenarios traffic/links traffic/faults far-peers
`
  .trim()
  .split(/\s+/);

class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = SLOWEST.findIndex((name) => moduleId.endsWith(`${name}.test.ts`));
      return at === -1 ? SLOWEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

// Three projects, one after the other. Units run beside the code, several files at once since many of them wait, and without
// a process for each file: none replaces modules or leaves anything behind. Process-level tests mostly wait for processes to
// start and to end, three files at a time; those that demand a GO of a mesh under traffic come last, two at a time, for a
// starved node is rightly called slow. Tests of one file that mostly wait start their meshes one after the other
// (`side-by-side`).
export default defineConfig({
  test: {
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{kit,node,runner,scenarios,gates,proofs,harness,scripts}/**/*.test.ts'],
          pool: 'forks',
          isolate: false,
          maxWorkers: 3,
          testTimeout: 60_000, // far above what any takes: a machine may stand still for seconds
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      processLevel({
        name: 'e2e',
        include: ['e2e/*.test.ts', 'e2e/kernel/*.test.ts'],
        maxWorkers: 3,
        groupOrder: 1,
      }),
      processLevel({ name: 'traffic', include: ['e2e/traffic/*.test.ts'], maxWorkers: 2, groupOrder: 2 }),
    ],
  },
});

function processLevel({
  name,
  include,
  maxWorkers,
  groupOrder,
}: {
  readonly name: string;
  readonly include: string[];
  readonly maxWorkers: number;
  readonly groupOrder: number;
}) {
  return {
    test: {
      name,
      include,
      globalSetup: './e2e/built-command.ts',
      pool: 'forks' as const,
      maxWorkers,
      sequence: { groupOrder },
      maxConcurrency: 2,
      testTimeout: 120_000,
      hookTimeout: 60_000,
    },
  };
}
