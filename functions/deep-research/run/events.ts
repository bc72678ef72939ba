import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Report } from '#shared/research/types.ts';
import { memoryTokens, sizesOf, WARN_SHARE } from '../agent/memory.ts';
import type { AgentConfig, AgentState } from '../agent/types.ts';
import type { Call, EndReason, Run, RunStatus, StoredReply } from '../records.ts';

/** What is told of a run while it goes on (specification section 11): deterministic, `{id: runId/n.k}`. */
export type RunEvent =
  | { type: 'run.started'; data: { question: string; model: string; family: string; steps: number } }
  | { type: 'note.accepted'; data: { text: string } }
  | { type: 'step.thinking'; data: { step: number; text: string } }
  | { type: 'step.call'; data: { step: number; name: string; arguments: Call['arguments'] } }
  | { type: 'step.observed'; data: { step: number; text: string; code?: string; title?: string } }
  | { type: 'step.unusable'; data: { step: number; code: string } }
  | { type: 'memory.warned' | 'memory.locked' | 'memory.cleaned'; data: { tokens: number; limit: number } }
  | { type: 'budget.warned'; data: { share: number } }
  | { type: 'run.finalising'; data: { reason: EndReason } }
  | {
      type: 'run.ended';
      data: { status: RunStatus; endReason?: EndReason; answer?: Report; steps: number };
    };

export const eventId = (runId: string, n: number, k: number): string => `${runId}/${n}.${k}`;

/** `runId/n.k`; undefined where an id is none of ours. */
export function parseEventId(id: string): { runId: string; n: number; k: number } | undefined {
  const [, runId, n, k] = /^(r-[0-9a-f]{16})\/(\d{1,6})\.(\d{1,4})$/.exec(id) ?? [];
  return runId === undefined ? undefined : { runId, n: Number(n), k: Number(k) };
}

const MOST = 2000;
const clip = (text: string): string => (text.length <= MOST ? text : `${text.slice(0, MOST - 1)}…`);

export const startedEvent = (run: Run, question: string): RunEvent => ({
  type: 'run.started',
  data: { question, model: run.model, family: run.family, steps: run.limits.maxSteps },
});

export function endedEvent(run: Run): RunEvent {
  return {
    type: 'run.ended',
    data: {
      status: run.status,
      ...(run.endReason === undefined ? {} : { endReason: run.endReason }),
      ...(run.answer === undefined ? {} : { answer: run.answer }),
      steps: run.usage.steps,
    },
  };
}

/** What a step's reply tells before its tool has answered: new notes, thinking, the call. */
export function replyEvents(
  n: number,
  notes: readonly string[],
  reply: StoredReply,
  call: Call | undefined,
): RunEvent[] {
  const thought = (reply.reasoning ?? thinkingOf(reply.text)).trim();
  return [
    ...notes.map((text): RunEvent => ({ type: 'note.accepted', data: { text } })),
    ...(thought === ''
      ? []
      : [{ type: 'step.thinking', data: { step: n, text: clip(thought) } } satisfies RunEvent]),
    ...(call
      ? [
          {
            type: 'step.call',
            data: { step: n, name: call.name, arguments: clipped(call.arguments) },
          } satisfies RunEvent,
        ]
      : []),
  ];
}

const clipped = (args: Call['arguments']): Call['arguments'] =>
  canonicalJson(args).length <= MOST
    ? args
    : (Object.fromEntries(
        Object.entries(args).map(([key, value]) => [key, typeof value === 'string' ? clip(value) : value]),
      ) as Call['arguments']);

/** The text before the call or answer. */
const thinkingOf = (text: string): string =>
  text
    .slice(0, Math.max(0, text.search(/<tool_call>|<answer>/)))
    .replace(/<\/?(?:think|thinking|thought|reasoning)>/gi, '');

/** All events of a step, in order; the first ones are those of `replyEvents`. */
export function stepEvents(given: {
  before: AgentState;
  after: AgentState;
  config: AgentConfig;
  /** Notes that the step's prompt was the first to hold. */
  notes: readonly string[];
  reply: StoredReply;
  observed?: { text: string; code?: string; title?: string };
}): RunEvent[] {
  const { before, after, config } = given;
  const { draft } = after;
  if (!draft) return [];
  const { n } = draft;
  const events = replyEvents(n, given.notes, given.reply, draft.call);
  const told = given.observed ?? entryText(after, n);
  if (told) events.push({ type: 'step.observed', data: { step: n, ...told, text: clip(told.text) } });
  if (draft.errorCode) events.push({ type: 'step.unusable', data: { step: n, code: draft.errorCode } });
  events.push(...memoryEvents(before, after, config));
  const share = usedShare(after, config);
  if (share >= 0.8 && usedShare(before, config) < 0.8)
    events.push({ type: 'budget.warned', data: { share: Math.floor(share * 100) / 100 } });
  if (after.final !== undefined && before.final === undefined && !after.ended)
    events.push({ type: 'run.finalising', data: { reason: after.final } });
  return events;
}

function entryText(state: AgentState, n: number): { text: string } | undefined {
  const entry = state.memory.entries.find(({ step }) => step === n);
  return entry && { text: entry.text };
}

function memoryEvents(before: AgentState, after: AgentState, config: AgentConfig): RunEvent[] {
  const { Lmem: limit } = sizesOf(config, after.overflowed);
  const [was, tokens] = [memoryTokens(before.memory), memoryTokens(after.memory)];
  const events: RunEvent[] = [];
  const mark = WARN_SHARE * limit;
  if (tokens >= mark && was < mark) events.push({ type: 'memory.warned', data: { tokens, limit } });
  if (after.memory.locked && !before.memory.locked)
    events.push({ type: 'memory.locked', data: { tokens, limit } });
  if (after.memory.version > before.memory.version && after.overflowed === before.overflowed)
    events.push({ type: 'memory.cleaned', data: { tokens, limit } });
  return events;
}

/** The largest share of a limit that is used: time left out, which no two runs have in common. */
function usedShare({ usage, n }: AgentState, { limits }: AgentConfig): number {
  return Math.max(
    n / limits.maxSteps,
    usage.modelCalls / limits.maxModelCalls,
    (usage.promptTokens + usage.outputTokens) / limits.maxTokens,
    usage.microUsd / (limits.maxUsd * 1e6),
  );
}
