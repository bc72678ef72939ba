import type { Bundle } from './bundling.ts';

/** The functions that belong to no workflow, as bundles: the one list for deployment and for `npm run check:bundles`. */
export const services = {
  api: { entry: 'api/handler.ts' },
  start: { entry: 'triggers/start.ts' },
  sweeper: { entry: 'triggers/sweep.ts' },
  onResult: { entry: 'inference/on-result.ts' },
  asyncSweep: { entry: 'inference/sweep.ts' },
} satisfies Record<string, Bundle>;
