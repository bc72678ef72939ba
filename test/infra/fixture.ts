import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { z } from 'zod';
import { buildPlatform, type PlatformProps, type PlatformStacks } from '#infra/platform.ts';
import { addNag } from '#infra/nag.ts';
import { defineWorkflow, platform, type WorkflowEntry } from '#shared/task/catalog.ts';
import type { ModelEntry } from '#shared/models/types.ts';

export const sampleWorkflow = (name = 'sample'): WorkflowEntry =>
  defineWorkflow({
    name,
    title: 'Sample',
    description: 'A workflow for tests.',
    definition: '../test/infra/fixtures/sample.asl.json',
    input: z.strictObject({ key: z.string() }),
    examples: [{ title: 'one', input: { key: 'x' } }],
    tasks: {
      begin: platform.begin,
      work: {
        entry: 'tasks/work.ts',
        memoryMb: 512,
        timeoutSeconds: 60,
        capabilities: ['artifacts:read', 'artifacts:write', 'records', 'models:default', 'sandbox:invoke'],
        maxConcurrency: 7,
      },
      finish: platform.finish,
    },
    triggers: {
      api: true,
      s3: { prefix: `ingest/${name}/`, suffix: ['.jsonl'], toInput: ({ key }) => ({ key }) },
    },
    concurrency: { jobs: 10, items: 100 },
    retention: { workDays: 30, outputDays: null, recordDays: 180 },
    limits: { timeoutHours: 24, maxObjectBytes: 1e8, maxBudgetMicroUsd: 5e7 },
    stages: {},
  }) as WorkflowEntry;

export const sampleModel = (over: Partial<ModelEntry> = {}): ModelEntry => ({
  name: 'big-async',
  provider: 'sagemaker-async',
  enabled: true,
  endpoint: { name: 'am-big' },
  codec: 'openai',
  revision: 'r1',
  contextTokens: 8192,
  maxOutputTokens: 1024,
  price: [{ from: '2026-01-01', inputPerMTok: 1, outputPerMTok: 2 }],
  billing: 'hour',
  limits: { rpm: 60, tpm: 1000, concurrency: 4 },
  features: { jsonSchema: true, tools: false, streaming: false, images: false, reasoning: false },
  tokenizer: 'bytes',
  imageTokens: 4096,
  timeoutMs: 60000,
  ...over,
});

export const deploy = {
  kind: 'async',
  image: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/vllm@sha256:0000',
  instanceType: 'ml.g5.xlarge',
  instances: { min: 0, max: 2 },
};

/** The feature flags of the real app. */
const FLAGS = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../cdk.json'), 'utf8')) as {
    context: Record<string, unknown>;
  }
).context;

export const ROUTES = [
  { method: 'GET', path: '/v1/health' },
  { method: 'POST', path: '/v1/jobs', scope: 'jobs:write' },
  { method: 'GET', path: '/v1/jobs/{jobId}', scope: 'jobs:read' },
];

/** The stacks of a stage, bundling no code but that of the stacks named in `bundle`. */
export function buildFixture(
  options: {
    context?: Record<string, unknown>;
    nag?: boolean;
    bundle?: string[];
    outdir?: string;
  } & Partial<PlatformProps> = {},
): { app: App; stacks: PlatformStacks } {
  const app = new App({
    analyticsReporting: false,
    // These rules read templates and change none, for many seconds each time; the real app's synthesis keeps them.
    builtinCloudFormationValidation: false,
    ...(options.outdir === undefined ? {} : { outdir: options.outdir }),
    context: {
      ...FLAGS,
      'aws:cdk:bundling-stacks': options.bundle ?? [],
      agentmill: options.context ?? {},
    },
  });
  if (options.nag) addNag(app);
  const stacks = buildPlatform(app, {
    catalog: options.catalog ?? [sampleWorkflow()],
    models: options.models ?? [sampleModel({ deploy })],
    routes: options.routes ?? ROUTES,
    version: '0.0.0',
  });
  return { app, stacks };
}
