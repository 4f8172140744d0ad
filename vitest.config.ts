import { defineConfig } from 'vitest/config';

// Two projects: units run beside the code, in parallel; process-level tests share the machine's two cores and so run one
// file at a time, with at most two meshes at once where a file says that its tests may.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{kit,node,runner,scenarios,gates,proofs,harness,scripts}/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          sequence: { groupOrder: 1 }, // when the units have left the cores to them
          maxConcurrency: 2,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
