import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Only what hangs takes this long, on the slowest machine too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    maxWorkers: 2,
    // Processes that tests start share what they compile.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/agentmill') },
  },
});
