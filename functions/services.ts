import { PYTHON_EXTRAS } from '#shared/sandbox/extras.ts';
import { ENCODER_EXTRAS } from '#shared/text/encoder.ts';
import type { Bundle } from './bundling.ts';

/** The functions that belong to no workflow, as bundles: the one list for deployment and for `npm run check:bundles`. */
export const services = {
  // It embeds the queries of searches in libraries.
  api: { entry: 'api/handler.ts', ...ENCODER_EXTRAS },
  start: { entry: 'triggers/start.ts' },
  sweeper: { entry: 'triggers/sweep.ts' },
  onResult: { entry: 'inference/on-result.ts' },
  asyncSweep: { entry: 'inference/sweep.ts' },
  /** Generated Python (docs/sandbox.md). */
  sandbox: {
    entry: 'sandbox/run.ts',
    ...PYTHON_EXTRAS,
  },
} satisfies Record<string, Bundle>;
