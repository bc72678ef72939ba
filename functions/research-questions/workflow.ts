import { defineWorkflow, platform, tasksWith, type Capability } from '#shared/task/catalog.ts';
import { ENCODER_EXTRAS } from '#shared/text/encoder.ts';
import { QuestionsInputSchema } from './input.ts';

const data: Capability[] = ['artifacts:read', 'artifacts:write', 'records'];

const task = tasksWith(data);
/** Of tasks that build or read the index of a corpus. */
const research: Capability[] = [...data, 'research'];

export default defineWorkflow({
  name: 'research-questions',
  title: 'Research questions of several hops from a corpus',
  description:
    'Writes questions with one short answer from the facts of a corpus, hides the entities between behind descriptions, validates each against the corpus, tries it with the research agent and keeps what is neither trivial nor hopeless. After SFR-DeepResearch (arXiv 2509.06283).',
  definition: 'research-questions.asl.json',
  input: QuestionsInputSchema,
  examples: [
    {
      title: 'Questions on the example corpus, made and tried without a model',
      input: {
        corpus: { ref: { key: 'examples/deep-research/corpus.jsonl' }, entityNoun: 'body' },
        count: 30,
        hops: { min: 1, max: 2 },
      },
    },
    {
      title: 'Five hundred questions on countries, without trying them',
      input: {
        corpus: { ref: { key: 'uploads/me/countries.jsonl' }, entityNoun: 'country' },
        count: 500,
        solverRuns: 0,
      },
    },
  ],
  tasks: {
    begin: platform.begin,
    prepare: task('prepare', 1024, 840),
    'index-corpus': task('index-corpus', 3008, 840, {
      capabilities: research,
      packages: [...ENCODER_EXTRAS.packages],
      modules: [...ENCODER_EXTRAS.modules],
      ephemeralMb: 4096,
    }),
    'plan-round': task('plan-round', 3008, 840, { capabilities: research, ephemeralMb: 4096 }),
    shard: task('shard', 3008, 840, { capabilities: research, ephemeralMb: 4096 }),
    'plan-solve': task('plan-solve', 1024, 240, {
      capabilities: [...data, 'workflows:start:deep-research'],
    }),
    harden: task('harden', 2048, 840),
    rubric: task('rubric', 3008, 840, { capabilities: research, ephemeralMb: 4096 }),
    export: task('export', 3008, 840),
    finish: task('finish', 512, 240),
    infer: platform.infer(['models:default']),
  },
  triggers: {
    api: true,
    s3: {
      prefix: 'ingest/research-questions/',
      suffix: ['.jsonl', '.ndjson'],
      toInput: ({ key }) => ({ corpus: { ref: { key } } }),
    },
  },
  concurrency: { jobs: 10, items: 20 },
  retention: { workDays: 30, outputDays: null, recordDays: 180 },
  limits: { timeoutHours: 168, maxObjectBytes: 5 * 1024 ** 3, maxBudgetMicroUsd: 10_000_000_000 },
  stages: {
    IndexCorpus: 'passages',
    Round1: 'questions',
    Solve1: 'questions',
    Round2: 'questions',
    Solve2: 'questions',
    Round3: 'questions',
    Solve3: 'questions',
  },
});
