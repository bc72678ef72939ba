import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { isError } from '#shared/task/errors.ts';
import { sentenceEncoder } from '#shared/text/encoder.ts';
import { readCards, readVectors, textOfCard, writeVectors } from '../clustering/cards.ts';
import { partName } from '../keys.ts';
import { CardPartSchema, jobInput } from './clustering-schemas.ts';

/** `EmbedTools`: the vectors of parts of 500 tools. */
export const handler = defineTask({
  name: 'tool-library/embed-tools',
  input: z.object({ ...jobInput, items: z.array(CardPartSchema).min(1) }),
  output: z.object({ parts: z.int(), tools: z.int() }),
  async run({ jobId, items }, ctx) {
    let tools = 0;
    for (const { part, count } of items) {
      tools += count;
      if (!(await isEmbedded(part, count))) {
        const cards = await readCards(ctx.artifacts, jobId, part);
        const encoder = await sentenceEncoder();
        const vectors = await encoder.embed(cards.map(textOfCard), { signal: ctx.signal });
        await writeVectors(ctx.artifacts, jobId, part, vectors);
      }
      await ctx.jobs.advance(jobId, 'EmbedTools', partName(part), count);
    }
    return { parts: items.length, tools };

    async function isEmbedded(part: number, count: number): Promise<boolean> {
      try {
        return (await readVectors(ctx.artifacts, jobId, part)).length === count;
      } catch (error) {
        if (isError(error, 'NotFound')) return false;
        throw error;
      }
    }
  },
});
