import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/**
 * Tests of functions of their arguments: they start no process, replace no module and leave nothing set, so that a worker
 * goes on from one file to the next with what it has loaded.
 */
const TOGETHER = [
  'test/shared/{determinism,task}/**/*.test.ts',
  'test/shared/models/**/!(gguf*|processes).test.ts',
  'test/functions/dataset-synthesis/**/*.test.ts',
];

export default defineConfig({
  test: {
    // Only what hangs takes this long, on the slowest machine too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Processes that tests start share what they compile.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/agentmill') },
    projects: [
      {
        extends: true,
        test: {
          name: 'apart',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...TOGETHER],
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: TOGETHER,
          isolate: false,
        },
      },
    ],
  },
});
