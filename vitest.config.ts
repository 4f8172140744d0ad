import { defineConfig } from 'vitest/config';

// Two projects: units run beside the code, in parallel; process-level tests mostly wait, so two files and at most three
// meshes of one file share the machine's cores.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{kit,node,runner,scenarios,gates,proofs,harness,scripts}/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: true,
          maxWorkers: 2,
          maxConcurrency: 3,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
