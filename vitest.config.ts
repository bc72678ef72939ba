import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    // Processes that tests start share what they compile.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/agentmill') },
  },
});
