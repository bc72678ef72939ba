import { z } from 'zod';
import { loadRegistry } from '#shared/models/registry.ts';
import { jsonIfAny, readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { Question } from '#shared/research/types.ts';
import { isoTime } from '#shared/determinism/clock.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { conflict, invalidInput } from '#shared/task/errors.ts';
import { fieldProblems } from '#shared/task/fields.ts';
import { jobStore } from '#shared/task/job-store.ts';
import {
  agentConfigOf,
  contentOf,
  groupIdOf,
  resolveConfig,
  runIdOf,
  type ResearchConfig,
} from '../config.ts';
import { MAX_RUNS, ResearchInputSchema } from '../input.ts';
import { keysOf } from '../keys.ts';
import { readQuestions, type QuestionReject } from '../questions/read.ts';
import { NO_USAGE, type RolloutLine, type Run } from '../records.ts';
import { createRuns } from '../run/store.ts';
import { searchProvider } from '#shared/research/search/provider.ts';
import { count, RefSchema } from './schemas.ts';

/** Run records written at once. */
const BATCH = 1000;

/** `Prepare`: config.json, questions, one record a run, rejects. A job resumes with the config it began with. */
export const handler = defineTask({
  name: 'deep-research/prepare',
  input: z.object({
    jobId: z.string(),
    model: z.string().optional(),
    input: RefSchema,
  }),
  output: z.object({
    config: RefSchema,
    rollouts: RefSchema,
    questions: count,
    runs: count,
    rejected: count,
    concurrency: z.int().positive(),
    /** Partial rollouts a question. */
    partial: count,
  }),
  async run({ jobId, model, input: ref }, ctx) {
    const { artifacts, records, runtime } = ctx;
    const parsed = ResearchInputSchema.safeParse(await readJson(artifacts, ref));
    if (!parsed.success)
      throw invalidInput('The job input is not valid.', { problems: fieldProblems(parsed.error) });
    const input = parsed.data;
    const registry = await loadRegistry(runtime);
    const job = await jobStore(runtime).get(jobId);
    const fresh = await resolveConfig({
      jobId,
      input,
      model: model ?? 'builtin',
      created: job?.job.createdAt ?? isoTime(runtime.clock.now()),
      registry,
      webSearch: searchProvider(runtime.env) !== undefined,
      content: await contentOf(artifacts, input),
    });
    const keys = keysOf(jobId);
    const earlier = await jsonIfAny<ResearchConfig>(artifacts, keys.config);
    if (earlier && earlier.cfg !== fresh.cfg) {
      throw conflict(
        'The job began with another configuration; start a new job: equal calls come from the cache.',
      );
    }
    const config = earlier ?? fresh;

    const agent = await agentConfigOf(config, registry, { runId: '', question: { kind: 'short', text: '' } });
    const questions: Question[] = [];
    const rejects: QuestionReject[] = [];
    const needGold = input.rollouts > 1;
    for await (const read of readQuestions(input.questions, { artifacts, needGold, count: agent.count })) {
      if ('question' in read) questions.push(read.question);
      else rejects.push(read.reject);
    }
    if (questions.length === 0) {
      const first = rejects.slice(0, 3).map(({ detail }) => detail);
      throw invalidInput(`There is no question to research. ${first.join(' ')}`.trim());
    }
    if (questions.length * input.rollouts > MAX_RUNS) {
      throw invalidInput(
        `${questions.length} questions times ${input.rollouts} rollouts are more than ${MAX_RUNS} runs.`,
        { problems: [{ pointer: '/rollouts', code: 'too_many', detail: `At most ${MAX_RUNS} runs a job.` }] },
      );
    }
    const runs = questions.flatMap((question) =>
      Array.from({ length: input.rollouts }, (_, g) => ({ run: runOf(config, question, g), question })),
    );
    for (let at = 0; at < runs.length; at += BATCH)
      await createRuns(records, jobId, runs.slice(at, at + BATCH));
    await writeJsonl(artifacts, keys.questions, questions);
    await writeJsonl(artifacts, keys.rejects, rejects);
    const rollouts = await writeJsonl(
      artifacts,
      keys.rollouts,
      runs.map(({ run }) => lineOf(run)),
    );
    await ctx.jobs.stage(jobId, 'Rollouts', runs.length);
    return {
      config: await writeJson(artifacts, keys.config, config),
      rollouts,
      questions: questions.length,
      runs: runs.length,
      rejected: rejects.length,
      concurrency: input.concurrency,
      partial: input.partial.perQuestion,
    };
  },
});

/** A new run of a question; of a partial rollout where a parent is given. */
export function runOf(config: ResearchConfig, question: Question, g: number, parent?: Run['parent']): Run {
  return {
    runId: runIdOf(config.cfg, question.id, g, parent),
    questionId: question.id,
    g,
    groupId: groupIdOf(config.cfg, question.id, parent),
    family: config.family,
    model: config.model,
    limits: config.input.limits,
    status: 'pending',
    steered: false,
    usage: { ...NO_USAGE },
    ...(parent ? { parent } : {}),
  };
}

export const lineOf = ({ runId, questionId, groupId, g, parent }: Run): RolloutLine => ({
  runId,
  questionId,
  groupId,
  g,
  ...(parent ? { parent } : {}),
});
