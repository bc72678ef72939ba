import { defineWorkflow, platform, tasksWith, type Capability } from '#shared/task/catalog.ts';
import { PYTHON_EXTRAS } from '#shared/sandbox/extras.ts';
import { ENCODER_EXTRAS } from '#shared/text/encoder.ts';
import { ToolLibraryInputSchema } from './input.ts';

const data: Capability[] = ['artifacts:read', 'artifacts:write', 'records'];

const sandboxed: Capability[] = [...data, 'sandbox:invoke'];

const task = tasksWith(data);

export default defineWorkflow({
  name: 'tool-library',
  title: 'A small library of tools from solved problems',
  description:
    'Turns solved problems, or a pile of one-question Python tools, into a small, structured, versioned library that loses no capability: extraction, validation by re-solving, topic tree, refactoring, proof by execution, search. After ToolLibGen (arXiv 2510.07768).',
  definition: 'tool-library.asl.json',
  input: ToolLibraryInputSchema,
  examples: [
    {
      title: 'The example problems, answered without a model',
      input: { source: 'examples/tool-library/problems.jsonl', libraryId: 'examples' },
    },
    {
      title: 'An existing pile of tools, executed and refactored',
      input: { source: 'examples/tool-library/tools.jsonl', libraryId: 'imported' },
    },
  ],
  tasks: {
    begin: platform.begin,
    validate: task('validate', 512, 120, { capabilities: [...data, 'libraries:read'] }),
    ingest: task('ingest', 1024, 840),
    'create-plan': task('create-plan', 2048, 240, PYTHON_EXTRAS),
    'create-gate': task('create-gate', 2048, 540, PYTHON_EXTRAS),
    'create-run': task('create-run', 1024, 840, { capabilities: sandboxed }),
    'create-apply': task('create-apply', 1024, 540, { capabilities: sandboxed }),
    'create-close': task('create-close', 1024, 240),
    'collect-tools': task('collect-tools', 4096, 840, {
      ...PYTHON_EXTRAS,
      capabilities: [...data, 'libraries:read'],
    }),
    stop: task('stop', 256, 30),
    'embed-tools': task('embed-tools', 3008, 840, ENCODER_EXTRAS),
    'plan-clusters': task('plan-clusters', 3008, 540, ENCODER_EXTRAS),
    'apply-clusters': task('apply-clusters', 3008, 540, ENCODER_EXTRAS),
    'balance-clusters': task('balance-clusters', 4096, 840),
    'index-clusters': task('index-clusters', 1024, 240, PYTHON_EXTRAS),
    'refactor-plan': task('refactor-plan', 2048, 540, PYTHON_EXTRAS),
    'refactor-gate': task('refactor-gate', 2048, 540, PYTHON_EXTRAS),
    'refactor-run': task('refactor-run', 2048, 840, { ...PYTHON_EXTRAS, capabilities: sandboxed }),
    'refactor-apply': task('refactor-apply', 2048, 540, { ...PYTHON_EXTRAS, capabilities: sandboxed }),
    'refactor-close': task('refactor-close', 1024, 540, PYTHON_EXTRAS),
    assemble: task('assemble', 4096, 840, PYTHON_EXTRAS),
    verify: task('verify', 1024, 840, { capabilities: sandboxed }),
    report: task('report', 2048, 840),
    'build-index': task('build-index', 3008, 840, ENCODER_EXTRAS),
    evaluate: task('evaluate', 3008, 840, ENCODER_EXTRAS),
    publish: task('publish', 1024, 840, { capabilities: [...data, 'libraries:read', 'libraries:write'] }),
    finish: task('finish', 1024, 840),
    infer: platform.infer(['models:default']),
  },
  triggers: {
    api: true,
    s3: {
      prefix: 'ingest/tool-library/',
      suffix: ['.jsonl', '.ndjson'],
      toInput: ({ key }) => ({ source: key, libraryId: libraryOf(key) }),
    },
  },
  concurrency: { jobs: 10, items: 50 },
  retention: { workDays: 30, outputDays: null, recordDays: 180 },
  limits: { timeoutHours: 96, maxObjectBytes: 5 * 1024 ** 3, maxBudgetMicroUsd: 1_000_000_000 },
  stages: {
    CreateTools: 'problems',
    EmbedTools: 'tools',
    Blueprint: 'tools',
    Aggregate: 'tools',
    VerifyLibrary: 'tools',
  },
});

/** The library that a dropped file is for: its name, as a library id. */
function libraryOf(key: string): string {
  const name = key
    .slice(key.lastIndexOf('/') + 1)
    .replace(/\.(?:jsonl|ndjson)$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 41);
  return name.length >= 2 ? name : 'library';
}
