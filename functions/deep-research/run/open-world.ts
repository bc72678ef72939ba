import { seededRng } from '#shared/determinism/rng.ts';
import { dropHold, standingHold } from '#shared/models/budget/hold.ts';
import type { InferContext } from '#shared/models/context.ts';
import { infer } from '#shared/models/door.ts';
import { loadRegistry } from '#shared/models/registry.ts';
import type { ToolContext } from '#shared/research/tools/context.ts';
import { citeFrom } from '#shared/research/tools/browse-page.ts';
import { searchProvider } from '#shared/research/search/provider.ts';
import type { Sandbox } from '#shared/sandbox/types.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { jobPk, META } from '#shared/task/job-records.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { modelOf, type ResearchConfig } from '../config.ts';
import { roles } from '../roles.ts';
import { toolBox } from '../tools/toolbox.ts';
import type { World } from './world.ts';

/** A prompt of L tokens has at most this many bytes a token: what the finalisation's hold is reckoned with. */
const BYTES_A_TOKEN = 6;
/** A job item above this is not read before every effect. */
const LARGE_ITEM = 16_384;
const LARGE_ITEM_MS = 1000;

/** The world of a slice: the platform's ports, the door to models, the job's tools. */
export async function openWorld(
  config: ResearchConfig,
  ctx: TaskContext,
  given: { attempt: number; corpusId: string | undefined },
): Promise<World> {
  const { runtime } = ctx;
  const { jobId } = config;
  const registry = await loadRegistry(runtime);
  const model = modelOf(registry, config.model);
  if (!model) throw invalidInput(`There is no model ${config.model} any more.`);
  const inferContext: InferContext = {
    jobId,
    workflow: ctx.workflow,
    stage: 'research',
    deadline: ctx.deadline,
    signal: ctx.signal,
    runtime,
    registry,
    roleOf: async (name) => roles.find((role) => role.name === name),
    rng: seededRng(jobId, ctx.attempt, runtime.ids.hex(64)),
  };
  const tools = toolContextOf(config, ctx, given.corpusId);
  const { L, maxOutputTokens } = config.context;
  return {
    config,
    registry,
    model,
    artifacts: ctx.artifacts,
    records: ctx.records,
    clock: runtime.clock,
    deadline: ctx.deadline,
    attempt: given.attempt,
    async ask(request, hold) {
      const { result, trace } = await infer(
        request,
        hold === undefined ? inferContext : { ...inferContext, hold },
      );
      return { result, microUsd: trace.costMicros + trace.savedMicros };
    },
    tools: toolBox(tools, () => sandboxOf(runtime), { seed: config.input.seed }),
    cancelled: cancelFlag(ctx, jobId),
    hold: (id) =>
      standingHold(runtime, jobId, id, model, { prompt: BYTES_A_TOKEN * L, output: maxOutputTokens }),
    dropHold: (id) => dropHold(runtime, registry, jobId, id),
    cite: (citations, pages) => citeFrom(citations, pages, tools),
    interactive: isInteractive(config),
  };
}

/** People follow and steer a job of one question and one run. */
export const isInteractive = ({ input }: ResearchConfig): boolean =>
  Array.isArray(input.questions) && input.questions.length === 1 && input.rollouts === 1;

export function toolContextOf(
  config: ResearchConfig,
  ctx: Pick<TaskContext, 'runtime' | 'workflow' | 'deadline' | 'signal'>,
  corpusId: string | undefined,
): ToolContext {
  const { input, jobId } = config;
  const { runtime } = ctx;
  const provider = input.tools.search === 'http' ? searchProvider(runtime.env) : undefined;
  return {
    runtime,
    jobId,
    workflow: ctx.workflow,
    stage: 'research',
    ...(input.tools.search === 'corpus' && corpusId !== undefined
      ? { corpus: { corpusId, semanticWeight: input.corpus?.semanticWeight ?? 0.1 } }
      : {}),
    ...(provider ? { provider } : {}),
    blocklist: input.blocklist,
    deadline: ctx.deadline,
    signal: ctx.signal,
  };
}

const sandboxes = new WeakMap<object, Promise<Sandbox>>();

/** The sandbox of a runtime's store: its children are shared by all slices of a process. */
function sandboxOf(runtime: Runtime): Promise<Sandbox> {
  let sandbox = sandboxes.get(runtime.records);
  if (!sandbox) {
    sandbox = import('#shared/sandbox/index.ts').then(({ openSandbox }) => openSandbox(runtime));
    sandboxes.set(runtime.records, sandbox);
    sandbox.catch(() => sandboxes.delete(runtime.records));
  }
  return sandbox;
}

/** Reads the job's cancel flag: at every call, but where its input makes the item large at most once a second. */
function cancelFlag({ records, runtime }: TaskContext, jobId: string): () => Promise<boolean> {
  let large = false;
  let readAt = -Infinity;
  let seen = false;
  return async () => {
    const now = runtime.clock.now();
    if (seen || (large && now - readAt < LARGE_ITEM_MS)) return seen;
    const item = await records.get({ pk: jobPk(jobId), sk: META });
    readAt = now;
    large = String(item?.attributes.input ?? '').length > LARGE_ITEM;
    seen = item?.attributes.cancelRequestedAt !== undefined;
    return seen;
  };
}
