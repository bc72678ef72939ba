import type { z } from 'zod';
import type { Json } from '#shared/storage/ports.ts';

/** What a workflow says of itself (infra-api-cli section 1). AWS, the embedded platform, the API and the CLI read it. */

export type Capability =
  | 'artifacts:read'
  | 'artifacts:write'
  | 'records'
  | 'sandbox:invoke'
  | 'libraries:read'
  | 'libraries:write'
  | 'research'
  | `queue:${string}`
  | `models:${string}`
  | `workflows:start:${string}`
  | `secrets:${string}`;

/** Whether a task runs generated code. */
export const usesSandbox = ({ capabilities }: Pick<TaskEntry, 'capabilities'>): boolean =>
  capabilities.includes('sandbox:invoke');

/** Whether a task calls models itself: `infer`, and agents whose steps wait for no other task. */
export const callsModels = ({ capabilities }: Pick<TaskEntry, 'capabilities'>): boolean =>
  capabilities.some((capability) => capability.startsWith('models:'));

/** What lies beside a bundled module because it cannot be inside it. */
export interface BundleExtras {
  /**
   * npm packages that read files of their own (WebAssembly, model weights): copied as they are, with what they depend on,
   * into `node_modules/` beside the bundle. Each is a dependency in package.json and pure JavaScript or WebAssembly.
   */
  packages?: string[];
  /**
   * Modules below the repository's root that run in a child process or a worker thread: each is bundled as
   * `<its base name>.mjs` beside the task's. `moduleBeside` (shared/task/beside.ts) finds it in both forms.
   */
  modules?: string[];
}

export interface TaskEntry extends BundleExtras {
  /** Module below functions/ that exports `handler`. Tasks without a leading workflow folder are relative to it. */
  entry: string;
  memoryMb: number;
  timeoutSeconds: number;
  capabilities: Capability[];
  maxConcurrency?: number;
  architecture?: 'arm64' | 'x86_64';
  ephemeralMb?: number;
  /** Set by `platform.*`: which platform task this instantiates. */
  platform?: 'begin' | 'finish' | 'infer';
}

/** An object that arrived under a workflow's S3 prefix. */
export interface IngestedObject {
  bucket: string;
  key: string;
  versionId?: string;
  bytes: number;
  sha256?: string;
}

export interface WorkflowEntry<Input = unknown> {
  /** Kebab-case, no dot, at most 32 characters. */
  name: string;
  title: string;
  description: string;
  /** File below statemachines/. */
  definition: string;
  /** Strict: unknown fields are refused. */
  input: z.ZodType<Input, unknown>;
  examples: { title: string; input: Json }[];
  tasks: Record<string, TaskEntry>;
  triggers: {
    api: boolean;
    s3?: { prefix: string; suffix: string[]; toInput(object: IngestedObject): Json };
    schedule?: { expression: string; input: Json };
  };
  /** Jobs in flight an owner, and items of a Distributed Map at once. */
  concurrency: { jobs: number; items: number };
  /** Days; null keeps for ever. */
  retention: { workDays: number | null; outputDays: number | null; recordDays: number | null };
  limits: { timeoutHours: number; maxObjectBytes: number; maxBudgetMicroUsd: number };
  /** The order and units of the stages that progress reports name, for bars: `{ IndexSegments: 'segments' }`. */
  stages: Record<string, string>;
}

/** Declares a workflow; only types are checked here, `checkCatalog` does the rest. */
export function defineWorkflow<Input>(entry: WorkflowEntry<Input>): WorkflowEntry<Input> {
  return entry;
}

/** A maker of a workflow's own tasks, one a module below its `tasks/`, with the capabilities most of them share. */
export const tasksWith =
  (capabilities: Capability[]) =>
  (name: string, memoryMb: number, timeoutSeconds: number, more: Partial<TaskEntry> = {}): TaskEntry => ({
    entry: `tasks/${name}.ts`,
    memoryMb,
    timeoutSeconds,
    capabilities,
    ...more,
  });

/** The module of a task below functions/: platform tasks name theirs whole, a workflow's own are relative to its folder. */
export const entryModule = (workflow: string, task: TaskEntry): string =>
  task.platform ? task.entry : `${workflow}/${task.entry}`;

/** The tasks every workflow takes from the platform, instantiated per workflow with its own permissions. */
export const platform = {
  begin: {
    entry: 'triggers/begin.ts',
    memoryMb: 512,
    timeoutSeconds: 60,
    capabilities: ['artifacts:read', 'artifacts:write', 'records'],
    platform: 'begin',
  },
  finish: {
    entry: 'triggers/finish.ts',
    memoryMb: 512,
    timeoutSeconds: 120,
    capabilities: ['artifacts:read', 'artifacts:write', 'records'],
    platform: 'finish',
  },
  /**
   * The inference task; `models` are `models:<name>` capabilities, `models:default` for every catalogued model.
   * @param extras what the builtin answers of this workflow's roles need beside the bundle.
   */
  infer: (models: `models:${string}`[], extras: BundleExtras = {}): TaskEntry => ({
    ...extras,
    entry: 'inference/infer.ts',
    memoryMb: 1024,
    timeoutSeconds: 900,
    capabilities: ['artifacts:read', 'artifacts:write', 'records', ...models],
    platform: 'infer',
  }),
} satisfies Record<string, TaskEntry | ((models: `models:${string}`[], extras?: BundleExtras) => TaskEntry)>;
