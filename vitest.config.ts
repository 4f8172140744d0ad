import { defineConfig } from 'vitest/config';

// Two projects. Units run beside the code, several files at once since many of them wait, and without a process for each
// file: none replaces modules or leaves anything behind. Process-level tests come when the units have left the cores to
// them, two files at a time; tests of one file that mostly wait start their meshes one after the other (`side-by-side`).
export default defineConfig({
  test: {
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
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          maxConcurrency: 2,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
