import type { InferResult } from '#shared/models/types.ts';
import type { Observation } from '#shared/research/types.ts';
import { jsonIfAny, readJson, readJsonl, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { reduce } from '../agent/reduce.ts';
import type { AgentConfig, AgentEvent, AgentState, Effect, Ending, StepDraft } from '../agent/types.ts';
import { keysOf } from '../keys.ts';
import { isEnded, type Run, type Step, type StoredObservation, type StoredReply } from '../records.ts';
import { endedEvent, replyEvents, startedEvent, stepEvents, type RunEvent } from './events.ts';
import { loadRun } from './load.ts';
import { replyOf, stepRequest, tokensOf } from './request.ts';
import { commitStep, loadHead, loadNotes, saveHead, tellEvents, type Head } from './store.ts';
import { holdId, type World } from './world.ts';

/** No step is started this long after the slice began. */
const STEPPING_MS = 12 * 60_000;
/** Kept free beyond an effect's worst case. */
const SPARE_MS = 30_000;
/** Turns of one child execution, each of one slice and perhaps one wait for a model. */
export const MAX_TURNS = 300;

export interface SliceInput {
  runId: string;
  /** Turns of this child execution so far. */
  turns: number;
  /** Why waiting for an asynchronous model ended without an answer. */
  error?: string;
}

export type SliceResult = { turns: number } & (
  { status: 'RUNNING' | 'YIELD' | 'DONE' } | { status: 'AWAIT_MODEL'; requests: ArtifactRef; prefix: string }
);

/** A run being driven: what is in memory of it. */
interface Drive {
  world: World;
  run: Run;
  head: Head;
  agent: AgentConfig;
  state: AgentState;
  began: number;
  /** Before the step under way, for its events. */
  before: AgentState;
  notes: string[];
  reply?: { stored: StoredReply; ref: ArtifactRef };
  observation?: { stored: StoredObservation; ref: ArtifactRef };
  /** A slice before this one may have begun this step: what it stored is used. */
  begun: boolean;
}

/**
 * Works on one run until it ends, time is up or an asynchronous model is to answer (specification section 7). Every
 * step is committed before the next begins: whatever kills the slice, at most one step is done again, with the reply
 * and the observation that were stored.
 */
export async function driveSlice(world: World, input: SliceInput): Promise<SliceResult> {
  const { config, clock } = world;
  const turns = input.turns + 1;
  const { head, agent, state } = await loadRun(world, input.runId);
  const { run } = head;
  if (isOver(head, world.attempt)) return { status: 'DONE', turns };
  const drive: Drive = {
    world,
    run: reopened(run),
    head,
    agent,
    state,
    began: clock.now(),
    before: state,
    notes: [],
    begun: true,
  };
  if (!(await world.hold(holdId(run.runId))) && state.n === (run.parent?.step ?? 0)) {
    await end(drive, { status: 'skipped', endReason: 'budget' });
    return { status: 'DONE', turns };
  }
  if (state.n === (run.parent?.step ?? 0)) {
    const started = startedEvent(drive.run, head.question.text);
    await tellEvents(world.records, config.jobId, run.runId, state.n, [started], clock.now());
  }

  let { state: next, effect } = reduce(state, { type: 'Started' }, agent);
  if (input.error !== undefined)
    ({ state: next, effect } = reduce(
      next,
      input.error === 'BudgetExhausted'
        ? { type: 'BudgetDenied' }
        : { type: 'ModelFailed', code: input.error, ms: 0, microUsd: 0 },
      agent,
    ));
  for (;;) {
    drive.state = next;
    const outcome = await perform(drive, effect);
    if (outcome.type === 'return') {
      if (outcome.result.status !== 'DONE') await snapshot(drive);
      // A child's history is finite: another passage goes on from here.
      if (turns >= MAX_TURNS && outcome.result.status !== 'DONE') return { status: 'YIELD', turns };
      return { ...outcome.result, turns };
    }
    if (outcome.type === 'reload') {
      const loaded = await loadRun(world, input.runId);
      Object.assign(drive, { head: loaded.head, state: loaded.state, before: loaded.state, begun: true });
      if (isOver(loaded.head, world.attempt)) return { status: 'DONE', turns };
      drive.run = reopened(loaded.head.run);
      ({ state: next, effect } = reduce(loaded.state, { type: 'Started' }, agent));
      continue;
    }
    ({ state: next, effect } = reduce(drive.state, outcome.event, agent));
  }
}

/** Ended for good, or in this attempt of the job: a later one takes failed, skipped and cancelled runs up again. */
function isOver({ run, endedAttempt }: Head, attempt: number): boolean {
  if (!isEnded(run.status)) return false;
  const again = run.status === 'failed' || run.status === 'skipped' || run.status === 'cancelled';
  return !again || (endedAttempt ?? attempt) >= attempt;
}

/** A run that works again: what an earlier attempt said of its end is no longer so. */
function reopened(run: Run): Run {
  const { endReason: _reason, answer: _answer, ...rest } = run;
  return { ...rest, status: 'running' };
}

type Bare<T> = T extends unknown ? Omit<T, 'turns'> : never;
type Outcome =
  { type: 'event'; event: AgentEvent } | { type: 'reload' } | { type: 'return'; result: Bare<SliceResult> };

const running: Outcome = { type: 'return', result: { status: 'RUNNING' } };
const event = (given: AgentEvent): Outcome => ({ type: 'event', event: given });

async function perform(drive: Drive, effect: Effect): Promise<Outcome> {
  switch (effect.type) {
    case 'CallModel':
      return callModel(drive, effect);
    case 'CallTool':
      return callTool(drive, effect);
    case 'Commit':
      return commit(drive, effect.step);
    case 'Finish':
      await finish(drive, effect.ending);
      return { type: 'return', result: { status: 'DONE' } };
  }
}

/** Whether an effect of at most `worstMs` may begin. */
function hasTime({ world, began }: Drive, worstMs: number, step: boolean): boolean {
  const now = world.clock.now();
  return !(step && now - began > STEPPING_MS) && now + worstMs + SPARE_MS <= world.deadline;
}

async function callModel(drive: Drive, effect: Extract<Effect, { type: 'CallModel' }>): Promise<Outcome> {
  const { world, run, agent } = drive;
  const { config, artifacts, clock } = world;
  const keys = keysOf(config.jobId);
  if (await world.cancelled()) return event({ type: 'CancelSeen' });
  if (world.interactive) {
    const [note] = await loadNotes(world.records, config.jobId, run.runId, drive.state.notes.length);
    if (note !== undefined) {
      drive.notes.push(note);
      return event({ type: 'NoteArrived', text: note });
    }
  }
  const { n, attempt } = effect;
  const key = keys.reply(run.runId, n, attempt);
  // The first step of a slice may have been begun by one that died.
  const stored = drive.begun ? await jsonIfAny<StoredReply>(artifacts, key) : undefined;
  if (stored?.usage) return replied(drive, stored, key);

  const inside = world.model.provider === 'builtin';
  const request = stepRequest(config, run, drive.state, agent, inside);
  let answer: { result: InferResult; microUsd: number };
  const began = clock.now();
  if (world.model.provider === 'sagemaker-async') {
    const prefix = keys.inferPrefix(run.runId, n, attempt);
    const result = await answerOf(artifacts, `${prefix}/results.jsonl`, request.id);
    if (!result) {
      if (effect.final) await world.dropHold(holdId(run.runId));
      const requests = await writeJsonl(artifacts, keys.requests(run.runId, n, attempt), [request]);
      drive.run.status = 'awaiting_model';
      return { type: 'return', result: { status: 'AWAIT_MODEL', requests, prefix } };
    }
    answer = { result, microUsd: agent.price(result.tokens.input, result.tokens.output) };
  } else {
    if (!hasTime(drive, inside ? 10_000 : world.model.timeoutMs, true)) return running;
    try {
      answer = await world.ask(request, effect.final ? holdId(run.runId) : undefined);
    } catch (error) {
      if (isError(error, 'BudgetExhausted')) return event({ type: 'BudgetDenied' });
      if (isError(error, 'Cancelled')) return event({ type: 'CancelSeen' });
      if (isError(error, 'DeadlineExceeded')) return running;
      throw error;
    }
  }
  const ms = Math.round(clock.now() - began);
  const { microUsd, result } = answer;
  const said = await replyOf(result, artifacts);
  if ('failed' in said) return event({ type: 'ModelFailed', code: said.failed, ms, microUsd });
  const usage = { ...tokensOf(result, said.reply, drive.state, agent), ms, microUsd };
  return replied(drive, { ...said.reply, usage }, key, true);
}

/** The answer of an asynchronous model, once it has come. */
async function answerOf(
  artifacts: World['artifacts'],
  key: string,
  id: string,
): Promise<InferResult | undefined> {
  try {
    for await (const { value } of readJsonl(artifacts, key)) {
      if ((value as InferResult).id === id) return value as InferResult;
    }
    return undefined;
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function replied(drive: Drive, stored: StoredReply, key: string, write = false): Promise<Outcome> {
  const { artifacts } = drive.world;
  drive.reply = write ? await keep(artifacts, key, stored) : { stored, ref: await refOf(artifacts, key) };
  const { usage, ...reply } = drive.reply.stored;
  const { promptTokens, outputTokens, ms, microUsd } = usage!;
  const { ref } = drive.reply;
  return event({ type: 'ModelReplied', reply, promptTokens, outputTokens, ms, microUsd, outputRef: ref });
}

/** Stores what a step was told; where another slice was told first, that counts. */
async function keep<T>(
  artifacts: World['artifacts'],
  key: string,
  value: T,
): Promise<{ stored: T; ref: ArtifactRef }> {
  try {
    return { stored: value, ref: await writeJson(artifacts, key, value, { ifAbsent: true }) };
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
    return { stored: (await readJson(artifacts, key)) as T, ref: await refOf(artifacts, key) };
  }
}

async function refOf(artifacts: World['artifacts'], key: string): Promise<ArtifactRef> {
  const head = await artifacts.head(key);
  return { key, sha256: head.sha256 ?? '', bytes: head.bytes };
}

async function callTool(drive: Drive, effect: Extract<Effect, { type: 'CallTool' }>): Promise<Outcome> {
  const { world, run } = drive;
  const { config, artifacts, clock, records } = world;
  if (await world.cancelled()) return event({ type: 'CancelSeen' });
  const { n, attempt, call } = effect;
  const keys = keysOf(config.jobId);
  const key = keys.observation(run.runId, n, attempt);
  if (world.interactive && drive.reply) {
    const told = replyEvents(n, drive.notes, drive.reply.stored, call);
    await tellEvents(records, config.jobId, run.runId, n, told, clock.now());
  }
  const known = drive.begun ? await jsonIfAny<StoredObservation>(artifacts, key) : undefined;
  if (known) drive.observation = { stored: known, ref: await refOf(artifacts, key) };
  else if (effect.recall !== undefined) {
    drive.observation = await keep(artifacts, key, await recall(drive, effect.recall, call.name));
  } else {
    if (!hasTime(drive, world.tools.worstMs(call), false)) return running;
    const began = clock.now();
    const answer = await world.tools.run(call, { runId: run.runId, n });
    const took = { ms: Math.round(clock.now() - began) };
    drive.observation = await keep(artifacts, key, { ...answer, ...took });
  }
  const { observation, cacheHit, ms, microUsd } = drive.observation.stored;
  return event({ type: 'ToolReturned', observation, cacheHit, ms, microUsd });
}

/** An earlier step's answer, as it was stored. */
async function recall({ world, run }: Drive, step: number, tool: string): Promise<StoredObservation> {
  const keys = keysOf(world.config.jobId);
  const parents = [run.runId, ...(run.parent ? [run.parent.runId] : [])];
  for (const runId of parents) {
    for (const attempt of [0, 1, 2]) {
      const known = await jsonIfAny<StoredObservation>(
        world.artifacts,
        keys.observation(runId, step, attempt),
      );
      if (known) return { ...known, cacheHit: true, ms: 0, microUsd: 0 };
    }
  }
  const observation: Observation = { tool, text: 'It is no longer stored.', code: 'not_stored', meta: {} };
  return { observation, cacheHit: true, ms: 0, microUsd: 0 };
}

async function commit(drive: Drive, draft: StepDraft): Promise<Outcome> {
  const { world, run, head, agent, state } = drive;
  const { config, records, clock } = world;
  if (!drive.reply) throw new Error(`Step ${draft.n} of ${run.runId} has no reply.`);
  const { observed, ...rest } = draft;
  const step: Step = {
    runId: run.runId,
    ...rest,
    outputRef: drive.reply.ref,
    ...(observed && drive.observation ? { observationRef: drive.observation.ref } : {}),
    ...(draft.outcome === 'final' && state.final !== undefined ? { endReason: state.final } : {}),
  };
  if (step.resampled?.length === 0) delete step.resampled;
  run.usage = state.usage;
  run.steered = run.steered || state.notes.length > 0;
  const observation = observed ? drive.observation?.stored.observation : undefined;
  const events: RunEvent[] = stepEvents({
    before: drive.before,
    after: state,
    config: agent,
    notes: drive.notes,
    reply: drive.reply.stored,
    ...(observation
      ? {
          observed: {
            text: observation.text,
            ...(observation.code === undefined ? {} : { code: observation.code }),
            ...(observation.meta.title === undefined ? {} : { title: observation.meta.title }),
          },
        }
      : {}),
  });
  if (state.ended) {
    await close(drive, state.ended);
    events.push(endedEvent(run));
  }
  const done = await commitStep(records, config.jobId, {
    step,
    head: { ...head, run },
    events,
    now: clock.now(),
  });
  // Somebody else has committed this step: what was done here does not count.
  if (!done) return { type: 'reload' };
  if (done.version !== undefined) drive.head = { ...head, run, version: done.version };
  drive.before = reduce(state, { type: 'Started' }, agent).state;
  drive.notes = [];
  drive.begun = false;
  delete drive.observation;
  if (state.ended && done.version !== undefined) {
    await world.dropHold(holdId(run.runId));
    return { type: 'return', result: { status: 'DONE' } };
  }
  return event({ type: 'Started' });
}

/** A short answer without the mark of doubt that it ends with. */
const bare = (text: string): string => text.replace(/\s*\((?:uncertain|partial)\)$/i, '').trim() || text;

/** Writes an ending into the run: status, reason, the answer with its citations checked. */
async function close({ world, run, agent, state }: Drive, ending: Ending): Promise<void> {
  run.status = ending.status;
  if (ending.endReason === undefined) delete run.endReason;
  else run.endReason = ending.endReason;
  if (!ending.answer) return;
  const { text, citations } = ending.answer;
  run.answer = {
    markdown: text,
    ...(agent.question.kind === 'report' ? {} : { short: bare(text) }),
    partial: ending.partial,
    citations: await world.cite(citations, state.pages),
  };
}

/** Ends a run whose end is no step: cancelled, failed, or ended by a step that was committed before. */
async function finish(drive: Drive, ending: Ending): Promise<void> {
  await close(drive, ending);
  await end(drive, { status: ending.status, ...(ending.endReason ? { endReason: ending.endReason } : {}) });
}

async function end(drive: Drive, ending: Pick<Run, 'status' | 'endReason'>): Promise<void> {
  const { world, run, state } = drive;
  const { config, records, clock } = world;
  run.status = ending.status;
  if (ending.endReason !== undefined) run.endReason = ending.endReason;
  // A step that was not committed is not counted: it is taken again, or never.
  run.usage = state.ended || state.final !== undefined ? state.usage : drive.before.usage;
  await save(drive, { endedAttempt: world.attempt });
  await tellEvents(records, config.jobId, run.runId, state.n + 1, [endedEvent(run)], clock.now());
  await world.dropHold(holdId(run.runId));
}

/** Keeps the state, so that the next slice need not read every step. */
async function snapshot(drive: Drive): Promise<void> {
  const { world, run } = drive;
  const { config, artifacts } = world;
  // Of the last commit: what belongs to the step under way is taken up from what was stored of it.
  const settled = drive.before;
  const key = keysOf(config.jobId).at(`runs/${run.runId}/state.${settled.n}.json`);
  const ref = await writeJson(artifacts, key, settled);
  await save(drive, { snapshot: { n: settled.n, ref } });
}

/** Writes the head, over whatever version there is: it is a cache of the steps. */
async function save(drive: Drive, patch: Pick<Head, 'endedAttempt' | 'snapshot'>): Promise<void> {
  const { records, config } = drive.world;
  for (;;) {
    const version = await saveHead(records, config.jobId, { ...drive.head, ...patch, run: drive.run });
    if (version !== undefined) return;
    const current = await loadHead(records, config.jobId, drive.run.runId);
    // Another slice may have brought it to its end meanwhile.
    if (current.run.status === 'answered' || current.run.status === 'forced') return;
    drive.head = current;
  }
}
