import middy, { type MiddlewareObj } from '@middy/core';
import type { z } from 'zod';
import { workflowOfJob } from '#shared/determinism/ids.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { TaskContext } from './context.ts';
import { cancelled, deadlineExceeded, defect, invalidInput, isError } from './errors.ts';
import { toTaskError } from './faults.ts';
import { describeProblems, fieldProblems } from './fields.ts';
import { jobStore, type JobStore } from './job-store.ts';
import { createLogger, createMetrics, type Metrics } from './logger.ts';
import { checkInputSize, checkOutputSize, OUR_PAYLOAD_BYTES } from './payload.ts';
import { currentRuntime } from './runtime.ts';

/** How long before the host's time-out a task stops itself, to leave time for a clean answer. */
export const EARLY_TIMEOUT_MS = 2_000;
/** A task's time where the host does not say (tests, direct calls). */
const DEFAULT_TIME_MS = 15 * 60_000;

export interface TaskDefinition<I extends z.ZodType, O extends z.ZodType> {
  /** `<workflow>/<task>`. */
  name: string;
  input: I;
  output: O;
  /**
   * Declares that the task's effect must happen once for this key: its output is remembered in the job's records
   * (`DONE#<task>#<key>`) and given again to repeated deliveries, without a second `run`.
   */
  once?(input: z.output<I>): string;
  /**
   * Whether the task works for a job that was asked to stop, too. Default: only tasks named `begin` or `finish`, which
   * must close what others opened.
   */
  evenIfCancelled?: boolean;
  run(input: z.output<I>, ctx: TaskContext): Promise<z.input<O>>;
}

/** What a host tells a handler: Lambda's context, or the embedded task host's. */
export interface HostContext {
  awsRequestId?: string;
  functionName?: string;
  getRemainingTimeInMillis?(): number;
  /** Aborts when the embedded host stops the task. */
  signal?: AbortSignal;
}

export type TaskHandler<Output> = (event: unknown, context?: HostContext) => Promise<Output>;

interface State {
  started: number;
  requestId: string;
  metrics: Metrics;
  ctx: TaskContext;
  store: JobStore;
  doneKey?: { jobId: string; task: string; key: string };
}
type Middleware = MiddlewareObj<unknown, unknown, Error>;

const memberText = (value: unknown, name: string): string | undefined => {
  const member = (value as Record<string, unknown> | null)?.[name];
  return typeof member === 'string' ? member : undefined;
};

/**
 * Makes a Lambda handler from a task (infra-api-cli section 9): measures, binds log and ports, refuses oversize or
 * malformed input, asks for the cancel flag and the done marker, runs with a deadline two seconds before the host's,
 * checks the output, and throws nothing but errors of the taxonomy, whose `name` state machines match.
 *
 * @example
 * export const handler = defineTask({
 *   name: 'dataset-synthesis/gate', input: GateInput, output: GateOutput,
 *   async run(input, { artifacts, log, signal }) { … },
 * });
 */
export function defineTask<I extends z.ZodType, O extends z.ZodType>(
  task: TaskDefinition<I, O>,
): TaskHandler<z.output<O>> {
  const short = task.name.slice(task.name.indexOf('/') + 1);
  const evenIfCancelled = task.evenIfCancelled ?? (short === 'begin' || short === 'finish');

  const bind: Middleware = {
    async before(request) {
      const state = await bindState(task.name, short, request.event, request.context as HostContext);
      contexts.set(request.context, state);
      await bindJob(state);
    },
    onError(request) {
      const aborted = contexts.get(request.context)?.ctx.signal.aborted ?? false;
      request.error = toTaskError(request.error, task.name, aborted);
    },
  };
  const size: Middleware = {
    before(request) {
      const bytes = checkInputSize(request.event, task.name);
      if (bytes > OUR_PAYLOAD_BYTES) {
        stateOf(request).ctx.log.warn('The input is larger than payloads should be.', { bytes });
      }
    },
  };
  const schemas: Middleware = {
    before(request) {
      const parsed = task.input.safeParse(request.event);
      if (!parsed.success) {
        const problems = fieldProblems(parsed.error);
        throw invalidInput(`The input of ${task.name} is not valid. ${describeProblems(problems)}`, {
          problems,
        });
      }
      request.event = parsed.data;
    },
    after(request) {
      const parsed = task.output.safeParse(request.response);
      if (!parsed.success) {
        throw defect(
          `The output of ${task.name} is not valid. ${describeProblems(fieldProblems(parsed.error))}`,
        );
      }
      checkOutputSize(parsed.data, task.name);
      request.response = parsed.data;
    },
  };
  const cancel: Middleware = {
    async before(request) {
      const { ctx, store } = stateOf(request);
      if (ctx.jobId === undefined || evenIfCancelled) return;
      if (await store.cancelRequested(ctx.jobId)) throw cancelled(`The job ${ctx.jobId} was asked to stop.`);
    },
  };
  // Before the schemas in the list, so that its `after` stores what they have checked.
  const once: Middleware = {
    async after(request) {
      const { store, doneKey } = stateOf(request);
      if (!doneKey) return;
      request.response = await store.markDone(
        doneKey.jobId,
        doneKey.task,
        doneKey.key,
        request.response as Json,
      );
    },
  };
  const recall: Middleware = {
    async before(request) {
      if (!task.once) return undefined;
      const state = stateOf(request);
      const { jobId } = state.ctx;
      if (jobId === undefined) throw invalidInput(`${task.name} needs \`jobId\` in its input.`);
      state.doneKey = { jobId, task: short, key: task.once(request.event as z.output<I>) };
      const done = await state.store.done(jobId, short, state.doneKey.key);
      if (done === undefined) return undefined;
      state.ctx.log.info('Done before: the remembered output is returned.', { key: state.doneKey.key });
      return done.output;
    },
  };

  const handler = middy<unknown, unknown, Error>({
    timeoutEarlyInMillis: EARLY_TIMEOUT_MS,
    timeoutEarlyResponse: () => {
      throw deadlineExceeded(`${task.name} was not done ${EARLY_TIMEOUT_MS / 1000} s before its time-out.`, {
        data: { early: true },
      });
    },
    requestEnd(request) {
      const state = contexts.get(request.context);
      if (state) end(state, request.error);
    },
  })
    .use([bind, size, once, schemas, cancel, recall])
    .handler((async (event: z.output<I>, context: HostContext, { signal }: { signal: AbortSignal }) => {
      const { ctx } = stateOf({ context });
      const stop = context.signal ? AbortSignal.any([signal, context.signal]) : signal;
      return await task.run(event, Object.assign(ctx, { signal: stop }));
    }) as never);

  return async (event, context = {}) => {
    // One object an invocation: hosts may share theirs, and the state hangs on it between middleware and handler.
    const own: HostContext = {
      ...(context.awsRequestId === undefined ? {} : { awsRequestId: context.awsRequestId }),
      ...(context.functionName === undefined ? {} : { functionName: context.functionName }),
      ...(context.signal ? { signal: context.signal } : {}),
      ...(context.getRemainingTimeInMillis
        ? { getRemainingTimeInMillis: () => context.getRemainingTimeInMillis!() }
        : {}),
    };
    return (await handler(event, own as never)) as z.output<O>;
  };
}

const contexts = new WeakMap<object, State>();

function stateOf(request: { context: object }): State {
  const state = contexts.get(request.context);
  if (!state) throw defect('The task ran without its middleware.');
  return state;
}

async function bindState(name: string, short: string, event: unknown, host: HostContext): Promise<State> {
  const runtime = await currentRuntime();
  const { clock, env } = runtime;
  const jobId = memberText(event, 'jobId');
  const workflow =
    (jobId === undefined ? undefined : workflowOfJob(jobId)) ??
    memberText(event, 'workflow') ??
    env.AGENTMILL_WORKFLOW ??
    name.slice(0, name.indexOf('/'));
  const metrics = createMetrics();
  const requestId = host.awsRequestId ?? runtime.ids.uuid();
  const traceId = env._X_AMZN_TRACE_ID;
  const known = {
    ...(jobId === undefined ? {} : { jobId }),
    workflow,
    ...(traceId === undefined ? {} : { traceId }),
  };
  const store = jobStore(runtime);
  const remaining = host.getRemainingTimeInMillis?.() ?? DEFAULT_TIME_MS;
  return {
    started: clock.now(),
    requestId,
    metrics,
    store,
    ctx: {
      name,
      ...known,
      attempt: 1,
      runtime,
      artifacts: runtime.artifacts,
      records: runtime.records,
      jobs: store,
      log: createLogger({
        clock,
        write: (line) => runtime.writeLog(line),
        metrics,
        level: env.AGENTMILL_LOG_LEVEL,
        bound: { ...known, stage: env.AGENTMILL_STAGE ?? runtime.kind, task: short, requestId },
      }),
      deadline: clock.now() + Math.max(0, remaining - EARLY_TIMEOUT_MS),
      signal: host.signal ?? new AbortController().signal,
    },
  };
}

/** Adds what the job's record knows: attempt, owner, execution. */
async function bindJob({ ctx, store }: State): Promise<void> {
  const facts = ctx.jobId === undefined ? undefined : await store.facts(ctx.jobId);
  if (!facts) return;
  const known = {
    attempt: facts.attempt,
    owner: facts.owner,
    ...(facts.executionId === undefined ? {} : { executionId: facts.executionId }),
  };
  Object.assign(ctx, known, { log: ctx.log.with(known) });
}

function end({ ctx, metrics, started, requestId }: State, error: Error | null | undefined): void {
  const { clock, env, kind } = ctx.runtime;
  const ms = clock.now() - started;
  metrics.add('Milliseconds', ms, 'Milliseconds');
  if (error) {
    metrics.add('Errors', 1);
    if (isError(error, 'DeadlineExceeded') && error.data.early === true) metrics.add('EarlyTimeouts', 1);
    const expected = isError(error) && error.name !== 'Defect';
    ctx.log[expected ? 'warn' : 'error']('The task failed.', { ms, errorName: error.name, error });
  } else {
    ctx.log.debug('The task is done.', { ms });
  }
  const line = metrics.take(
    clock.now(),
    {
      stage: env.AGENTMILL_STAGE ?? kind,
      workflow: ctx.workflow,
      task: ctx.name.slice(ctx.name.indexOf('/') + 1),
    },
    { ...(ctx.jobId === undefined ? {} : { jobId: ctx.jobId }), requestId },
  );
  if (line !== undefined) ctx.runtime.writeLog(line);
}
