import { z } from 'zod';
import { seededRng } from '#shared/determinism/rng.ts';
import { evaluateRetrieval, type RetrievalQuestion } from '#shared/library/evaluation.ts';
import { readFloats } from '#shared/library/load.ts';
import { MODES, searchIndex, type SearchRow } from '#shared/library/search.ts';
import type { Case, LibraryTool } from '#shared/library/types.ts';
import { writeJson } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { SENTENCE_ENCODER, sentenceEncoder } from '#shared/text/encoder.ts';
import { loadConfig } from '../config.ts';
import { allRows, rows } from '../io.ts';
import { keys } from '../keys.ts';
import { jobInput, RefSchema } from './clustering-schemas.ts';

/** Questions asked at most; of more, a seeded sample. */
const QUESTIONS = 300;

/** `Evaluate`: how well the library is found by the questions it was made from, numbers masked. */
export const handler = defineTask({
  name: 'tool-library/evaluate',
  input: z.object(jobInput),
  output: z.object({ report: RefSchema, questions: z.int().nonnegative() }),
  async run(input, ctx) {
    const { artifacts } = ctx;
    const { jobId } = input;
    const config = await loadConfig(artifacts, input.config);
    const questions = await questionsOf(ctx.artifacts, jobId);
    const asked = seededRng(config.input.seed, 'tool-library', 'evaluate')
      .shuffle(questions)
      .slice(0, QUESTIONS);
    const searchRows = await allRows<SearchRow>(artifacts, `${keys.index(jobId)}/search.jsonl`);
    const matrix = await readFloats(artifacts, `${keys.index(jobId)}/vectors.f32`);
    const index = searchIndex(searchRows, matrix, SENTENCE_ENCODER);
    const encoder = await sentenceEncoder();
    const modes: Record<string, unknown> = {};
    for (const mode of MODES) modes[mode] = await evaluateRetrieval(index, asked, encoder, { mode });
    const content = { relevance: 'strict', of: questions.length, tools: searchRows.length, modes };
    const report = await writeJson(artifacts, keys.retrieval(jobId), content);
    return { report, questions: asked.length };
  },
});

/** The questions whose cases a tool of the library answers, each with those tools; in the order of their ids. */
async function questionsOf(
  artifacts: Parameters<typeof allRows>[0],
  jobId: string,
): Promise<RetrievalQuestion[]> {
  const toolsOf = new Map<string, Set<string>>();
  for await (const { id, mapping } of rows<LibraryTool>(artifacts, keys.library(jobId, 'tools')))
    for (const { caseId } of mapping) toolsOf.set(caseId, (toolsOf.get(caseId) ?? new Set()).add(id));
  const byQuestion = new Map<string, { question: string; relevant: Set<string> }>();
  for await (const { id, questionId, question } of rows<Case>(artifacts, keys.library(jobId, 'cases'))) {
    const tools = toolsOf.get(id);
    if (!tools) continue;
    const known = byQuestion.get(questionId) ?? { question, relevant: new Set<string>() };
    for (const tool of tools) known.relevant.add(tool);
    byQuestion.set(questionId, known);
  }
  return [...byQuestion].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
