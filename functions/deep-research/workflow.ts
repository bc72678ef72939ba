import {
  defineWorkflow,
  platform,
  tasksWith,
  type BundleExtras,
  type Capability,
} from '#shared/task/catalog.ts';
import { ENCODER_EXTRAS } from '#shared/text/encoder.ts';
import { EXTRACTOR_EXTRAS } from '#shared/web/extractor.ts';
import { ResearchInputSchema } from './input.ts';

const data: Capability[] = ['artifacts:read', 'artifacts:write', 'records', 'research'];

/** The sentence encoder and the page extractor read files of their own, in workers. */
const EXTRAS: BundleExtras = {
  packages: [...new Set([...ENCODER_EXTRAS.packages, ...EXTRACTOR_EXTRAS.packages])],
  modules: [...ENCODER_EXTRAS.modules, ...EXTRACTOR_EXTRAS.modules],
};

const task = tasksWith(data);

export default defineWorkflow({
  name: 'deep-research',
  title: 'Cited answers and scored rollouts by a research agent',
  description:
    'One agent with search, browsing, Python and a memory of its own researches each question until it answers with verified citations; groups of rollouts are scored, and advantages exported for reinforcement learning. After SFR-DeepResearch (arXiv 2509.06283).',
  definition: 'deep-research.asl.json',
  input: ResearchInputSchema,
  examples: [
    {
      title: 'Questions on planets and their discoverers, answered from the example corpus without a model',
      input: {
        questions: { key: 'examples/deep-research/questions.jsonl' },
        corpus: { ref: { key: 'examples/deep-research/corpus.jsonl' }, entityNoun: 'body' },
      },
    },
    {
      title: 'Eight rollouts a question, for reinforcement learning',
      input: {
        questions: { key: 'uploads/me/questions.jsonl' },
        rollouts: 8,
        corpus: { ref: { key: 'uploads/me/documents.jsonl' } },
      },
    },
  ],
  tasks: {
    begin: platform.begin,
    prepare: task('prepare', 1024, 840),
    'index-corpus': task('index-corpus', 3008, 840, { ...EXTRAS, ephemeralMb: 4096 }),
    slice: task('slice', 2048, 900, {
      ...EXTRAS,
      ephemeralMb: 4096,
      capabilities: [...data, 'models:default', 'sandbox:invoke', 'secrets:search'],
    }),
    'mark-failed': task('mark-failed', 512, 60),
    barrier: task('barrier', 1024, 240),
    'plan-score': task('plan-score', 1024, 840),
    score: task('score', 1024, 840, { capabilities: [...data, 'sandbox:invoke'] }),
    fork: task('fork', 1024, 840),
    advantages: task('advantages', 2048, 840),
    export: task('export', 2048, 840),
    finish: task('finish', 1024, 840),
    infer: platform.infer(['models:default']),
  },
  triggers: { api: true },
  concurrency: { jobs: 20, items: 1000 },
  retention: { workDays: 30, outputDays: null, recordDays: 180 },
  limits: { timeoutHours: 168, maxObjectBytes: 5 * 1024 ** 3, maxBudgetMicroUsd: 10_000_000_000 },
  stages: { IndexCorpus: 'passages', Rollouts: 'runs', Score: 'groups' },
});
