import { z } from 'zod';
import { buildSearch } from '#shared/library/build.ts';
import { refOf } from '#shared/storage/refs.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { sentenceEncoder } from '#shared/text/encoder.ts';
import { keys } from '../keys.ts';
import { jobInput, RefSchema } from './clustering-schemas.ts';

/** `BuildIndex`: what the library is searched by. */
export const handler = defineTask({
  name: 'tool-library/build-index',
  input: z.object(jobInput),
  // A cancelled job publishes what it has.
  evenIfCancelled: true,
  output: z.object({ search: RefSchema, vectors: RefSchema, tools: z.int().nonnegative() }),
  async run({ jobId }, ctx) {
    const tools = await refOf(ctx.artifacts, keys.library(jobId, 'tools'));
    const encoder = await sentenceEncoder();
    const prefix = keys.index(jobId);
    const { search, vectors } = await buildSearch(ctx.artifacts, tools, prefix, encoder, {
      signal: ctx.signal,
    });
    return { search, vectors, tools: search.count ?? 0 };
  },
});
