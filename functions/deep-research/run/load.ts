import { readJson } from '#shared/storage/jsonl.ts';
import type { AgentConfig, AgentState } from '../agent/types.ts';
import { beforeStep, foldStep } from '../agent/fold.ts';
import { initialState } from '../agent/reduce.ts';
import { agentConfigOf } from '../config.ts';
import type { Step, StoredReply } from '../records.ts';
import { loadHead, loadNotes, loadSteps, loadTexts, type Head } from './store.ts';
import type { World } from './world.ts';

/** A run as its records tell it. */
export interface LoadedRun {
  head: Head;
  agent: AgentConfig;
  state: AgentState;
}

type Source = Pick<World, 'config' | 'registry' | 'artifacts' | 'records'>;

/** Takes a run up: its head, and the agent's state with every committed step folded in. */
export async function loadRun(world: Source, runId: string): Promise<LoadedRun> {
  const { config, records, artifacts } = world;
  const head = await loadHead(records, config.jobId, runId);
  const agent = await agentConfigOf(config, world.registry, { runId, question: head.question });
  let state: AgentState;
  if (head.snapshot) state = (await readJson(artifacts, head.snapshot.ref)) as AgentState;
  else state = await startOf(world, head);
  const steps = await loadSteps(records, config.jobId, runId, state.n + 1);
  const notes = await loadNotes(records, config.jobId, runId);
  for (const step of steps) {
    const { reply, observation } = await loadTexts(artifacts, step);
    const texts = { reply, ...(observation ? { observation: observation.observation } : {}) };
    state = foldStep(state, step, texts, notes, agent);
  }
  return { head, agent, state };
}

/** Where a run begins: empty, or with its parent's memory after a step. */
export async function startOf(world: Source, head: Head): Promise<AgentState> {
  const { parent } = head.run;
  if (!parent) return initialState();
  const { state } = await stateAfter(world, parent.runId, parent.step);
  return initialState({
    n: state.n,
    memory: state.memory,
    seen: state.seen,
    pages: state.pages,
  });
}

/** The agent's state after a run's step `n`. */
export async function stateAfter(
  world: Source,
  runId: string,
  n: number,
): Promise<{ state: AgentState; agent: AgentConfig }> {
  const { config, records, artifacts } = world;
  const head = await loadHead(records, config.jobId, runId);
  const agent = await agentConfigOf(config, world.registry, { runId, question: head.question });
  let state = await startOf(world, head);
  const notes = await loadNotes(records, config.jobId, runId);
  for (const step of await loadSteps(records, config.jobId, runId)) {
    if (step.n > n) break;
    const { reply, observation } = await loadTexts(artifacts, step);
    const texts = { reply, ...(observation ? { observation: observation.observation } : {}) };
    state = foldStep(state, step, texts, notes, agent);
  }
  return { state, agent };
}

/** One step as the model saw it: the state whose prompt was sent, and the reply that came. */
export interface ReplayedStep {
  step: Step;
  before: AgentState;
  agent: AgentConfig;
  reply: StoredReply;
}

/** Tells a run's steps again, one after the other: what training samples are made of. */
export async function* replayRun(world: Source, runId: string): AsyncGenerator<ReplayedStep> {
  const { config, records, artifacts } = world;
  const head = await loadHead(records, config.jobId, runId);
  const agent = await agentConfigOf(config, world.registry, { runId, question: head.question });
  let state = await startOf(world, head);
  const notes = await loadNotes(records, config.jobId, runId);
  for (const step of await loadSteps(records, config.jobId, runId)) {
    const { reply, observation } = await loadTexts(artifacts, step);
    yield { step, before: beforeStep(state, step, notes, agent), agent, reply };
    const texts = { reply, ...(observation ? { observation: observation.observation } : {}) };
    state = foldStep(state, step, texts, notes, agent);
  }
}

/** The raw text of a reply, thinking included, as the model wrote it. */
export function rawTextOf({ text, reasoning, toolCalls }: StoredReply): string {
  const thought = reasoning === undefined ? '' : `<think>${reasoning}</think>\n`;
  const calls = (toolCalls ?? [])
    .map(
      ({ name, argumentsText }) =>
        `<tool_call>{"name": ${JSON.stringify(name)}, "arguments": ${argumentsText || '{}'}}</tool_call>`,
    )
    .join('\n');
  return [thought + text, calls].filter((part) => part !== '').join('\n');
}
