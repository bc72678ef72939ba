import { defineWorkflow, platform, tasksWith, type Capability } from '#shared/task/catalog.ts';
import { SynthesisInputSchema } from './input.ts';

const data: Capability[] = ['artifacts:read', 'artifacts:write', 'records'];

const task = tasksWith(data);

export default defineWorkflow({
  name: 'dataset-synthesis',
  title: 'Questions with checkable answers from documents',
  description:
    'Turns documents into self-contained questions with short verifiable answers for RL with a 0/1 reward: filter, domain and audiences, generation, programmatic gates, judge, deduplication. After Webscale-RL (arXiv 2510.06499).',
  definition: 'dataset-synthesis.asl.json',
  input: SynthesisInputSchema,
  examples: [
    {
      title: 'The example documents, answered without a model',
      input: {
        sources: [{ uri: 'examples/dataset-synthesis/towns.jsonl', defaults: { licence: 'CC0-1.0' } }],
        personas: { max: 2 },
        benchmarks: [{ name: 'quiz', uri: 'examples/dataset-synthesis/quiz.jsonl' }],
      },
    },
    {
      title: 'What a corpus would cost, without asking a model',
      input: { sources: [{ uri: 'uploads/me/corpus/' }], mode: 'estimate' },
    },
  ],
  tasks: {
    begin: platform.begin,
    validate: task('validate', 512, 120),
    'index-benchmarks': task('index-benchmarks', 3008, 840),
    'plan-sources': task('plan-sources', 512, 840),
    'index-segment': task('index-segment', 2048, 840),
    'select-documents': task('select-documents', 4096, 840),
    plan: task('plan', 1024, 240),
    apply: task('apply', 1024, 540),
    'plan-pairs': task('plan-pairs', 1024, 840),
    curate: task('curate', 8192, 840),
    'export-part': task('export-part', 2048, 840),
    finish: task('finish', 1024, 840),
    infer: platform.infer(['models:default']),
  },
  triggers: {
    api: true,
    s3: {
      prefix: 'ingest/dataset-synthesis/',
      suffix: ['.jsonl', '.ndjson', '.jsonl.gz', '.ndjson.gz', '.parquet', '.txt', '.md'],
      toInput: ({ key }) => ({ sources: [{ uri: key }] }),
    },
  },
  concurrency: { jobs: 10, items: 50 },
  retention: { workDays: 30, outputDays: null, recordDays: 180 },
  limits: { timeoutHours: 96, maxObjectBytes: 5 * 1024 ** 3, maxBudgetMicroUsd: 1_000_000_000 },
  stages: {
    IndexSegments: 'segments',
    AnalyseDocuments: 'documents',
    SynthesisePairs: 'pairs',
    ExportParts: 'records',
  },
});
