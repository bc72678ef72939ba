import { z } from 'zod';
import { defineWorkflow, platform, type WorkflowEntry } from '#shared/task/catalog.ts';

/** A small workflow for tests of what surrounds workflows: it counts the words of its sources. */
export const wordCount = defineWorkflow({
  name: 'word-count',
  title: 'Word count',
  description: 'Counts words.',
  definition: 'word-count.asl.json',
  input: z.strictObject({
    sources: z.array(z.strictObject({ uri: z.string().min(1) })).max(100),
    language: z.string().default('en'),
    seeds: z.array(z.int()).default([]),
  }),
  examples: [{ title: 'One source', input: { sources: [{ uri: 'examples/a.txt' }] } }],
  tasks: {
    begin: platform.begin,
    count: {
      entry: 'tasks/count.ts',
      memoryMb: 512,
      timeoutSeconds: 60,
      capabilities: ['artifacts:read', 'artifacts:write'],
      maxConcurrency: 8,
    },
    infer: platform.infer(['models:default']),
    finish: platform.finish,
  },
  triggers: {
    api: true,
    s3: {
      prefix: 'ingest/word-count/',
      suffix: ['.txt', '.jsonl'],
      toInput: ({ key }) => ({ sources: [{ uri: key }] }),
    },
    schedule: { expression: 'rate(1 day)', input: { sources: [], language: 'fr' } },
  },
  concurrency: { jobs: 3, items: 20 },
  retention: { workDays: 30, outputDays: null, recordDays: 180 },
  limits: { timeoutHours: 1, maxObjectBytes: 10_000, maxBudgetMicroUsd: 5_000_000 },
  stages: { Count: 'words' },
});

/** A second one, to tell workflows apart. */
export const other: WorkflowEntry = {
  ...wordCount,
  name: 'other',
  title: 'Other',
  definition: 'other.asl.json',
  triggers: { api: true },
  concurrency: { jobs: 100, items: 20 },
};

export const testCatalog: WorkflowEntry[] = [wordCount as WorkflowEntry, other];
