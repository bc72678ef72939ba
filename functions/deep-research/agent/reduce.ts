import { canonicalJson } from '#shared/determinism/hash.ts';
import { NO_USAGE, type EndReason, type ParseErrorCode, type Resampled } from '../records.ts';
import { capReached } from './caps.ts';
import {
  clean,
  edit,
  emptyMemory,
  memoryTokens,
  shrink,
  sizesOf,
  store,
  type MemoryChange,
} from './memory.ts';
import { fixedTokens } from './prompt.ts';
import { readFinal, readReply, type Reading } from './reading/read.ts';
import * as texts from './texts.ts';
import { checkCall, MEMORY_TOOLS, toolNames } from './tools.ts';
import type {
  AgentConfig,
  AgentEvent,
  AgentMemory,
  AgentState,
  BrowsedPage,
  Ending,
  StepDraft,
  Transition,
} from './types.ts';

/** Unusable replies in a row that are allowed; the next one ends the research. */
const MALFORMED_ALLOWED = 5;
const DUPLICATES_ALLOWED = 4;
const CLEANINGS_REJECTED = 3;
const CALLS_REFUSED = 5;

const RESAMPLED: ReadonlySet<ParseErrorCode> = new Set(['empty', 'truncated', 'garbled']);

/** Where a run starts: empty, or with what a parent knew after a step, whose numbers it goes on from. */
export function initialState(
  from: { n: number; memory: AgentMemory; seen: Record<string, number>; pages: BrowsedPage[] } = {
    n: 0,
    memory: emptyMemory(),
    seen: {},
    pages: [],
  },
): AgentState {
  return {
    n: from.n,
    attempt: 0,
    memory: from.memory,
    notices: [],
    notes: [],
    usage: { ...NO_USAGE },
    streaks: { malformed: 0, duplicates: 0, rejectedCleanings: 0, refusedCalls: 0 },
    seen: from.seen,
    pages: from.pages,
    overflowed: false,
    resampled: [],
  };
}

/**
 * The agent (specification section 4): what it becomes and what is to be done. Pure: times and prices arrive in events.
 * After a `Commit` has been carried out, `Started` goes on.
 */
export function reduce(state: AgentState, event: AgentEvent, config: AgentConfig): Transition {
  switch (event.type) {
    case 'Started':
      return next(committed(state), config);
    case 'NoteArrived':
      return next({ ...state, notes: [...state.notes, event.text] }, config);
    case 'CancelSeen':
      return finish(state, { status: 'cancelled', endReason: 'cancelled', answer: null, partial: true });
    case 'BudgetDenied':
      return state.final === undefined
        ? next({ ...state, final: 'budget', attempt: 0 }, config)
        : finish(state, forced(state.final));
    case 'ModelFailed':
      return failed(state, event, config);
    case 'ModelReplied':
      return replied(state, event, config);
    case 'ToolReturned':
      return returned(state, event, config);
  }
}

/** After a commit: the step is done, the next begins. */
function committed(state: AgentState): AgentState {
  if (!state.draft) return state;
  const { draft, ...rest } = state;
  return { ...rest, n: draft.n, attempt: 0, resampled: [] };
}

function next(state: AgentState, config: AgentConfig): Transition {
  if (state.ended) return { state, effect: { type: 'Finish', ending: state.ended } };
  const reached = state.final ?? (state.attempt === 0 ? capReached(state, config) : undefined);
  const ready = reached === state.final ? state : ({ ...state, final: reached } as AgentState);
  return {
    state: ready,
    effect: {
      type: 'CallModel',
      n: ready.n + 1,
      attempt: ready.attempt,
      final: ready.final !== undefined,
    },
  };
}

const finish = (state: AgentState, ending: Ending): Transition => ({
  state,
  effect: { type: 'Finish', ending },
});

const forced = (endReason: EndReason): Ending => ({
  status: 'forced',
  endReason,
  answer: null,
  partial: true,
});

function failed(
  before: AgentState,
  event: { code: string; ms: number; microUsd: number },
  config: AgentConfig,
): Transition {
  const state = { ...before, usage: { ...before.usage } };
  if (event.code !== 'CONTEXT_OVERFLOW') {
    // Nothing was decided: the run goes on from here when its job is resumed.
    return finish(state, { status: 'failed', endReason: 'model_unavailable', answer: null, partial: true });
  }
  if (state.final !== undefined) return finish(state, forced(state.final));
  state.usage.modelCalls++;
  state.usage.ms += event.ms;
  state.usage.microUsd += event.microUsd;
  const resampled: Resampled[] = [
    ...state.resampled,
    {
      attempt: state.attempt,
      errorCode: 'context_overflow',
      promptTokens: 0,
      outputTokens: 0,
      ms: event.ms,
      microUsd: event.microUsd,
    },
  ];
  return next(overflow({ ...state, resampled, attempt: state.attempt + 1 }, config), config);
}

/** The provider found the prompt too long: once everything is cut to nine tenths and locked, then it is over. */
export function overflow(state: AgentState, config: AgentConfig): AgentState {
  if (state.overflowed) return { ...state, final: 'context_overflow' };
  const context = { fixed: fixedTokens(state, config), overflowed: true };
  return {
    ...state,
    overflowed: true,
    memory: { ...shrink(state.memory, config, context), locked: true },
  };
}

type Replied = Extract<AgentEvent, { type: 'ModelReplied' }>;

function replied(before: AgentState, event: Replied, config: AgentConfig): Transition {
  const usage = { ...before.usage };
  usage.modelCalls++;
  usage.promptTokens += event.promptTokens;
  usage.outputTokens += event.outputTokens;
  usage.ms += event.ms;
  usage.microUsd += event.microUsd;
  const state: AgentState = { ...before, usage, streaks: { ...before.streaks } };
  const tools = toolNames(config);
  const final = state.final !== undefined;
  const reading = final ? readFinal(event.reply, tools) : readReply(event.reply, tools);
  if (reading.kind === 'error' && mayResample(state, reading.code, config)) {
    const resampled = [...state.resampled, resampledOf(state, event, reading.code)];
    return next({ ...state, resampled, attempt: state.attempt + 1 }, config);
  }
  const draft: StepDraft = {
    n: state.n + 1,
    attempt: state.attempt,
    promptTokens: event.promptTokens,
    outputTokens: event.outputTokens,
    memoryTokens: memoryTokens(state.memory),
    parse: reading.kind === 'error' ? 'error' : reading.repairs.length > 0 ? 'repaired' : 'ok',
    repairs: reading.repairs,
    cacheHit: false,
    ms: event.ms,
    microUsd: event.microUsd,
    outcome: 'malformed',
    notes: state.notes.length,
    resampled: state.resampled,
    observed: false,
  };
  // What this prompt told has been told.
  const told: AgentState = { ...state, draft, notices: [] };
  if (final) return finalised(told, draft, reading);
  usage.steps++;
  if (reading.kind === 'error') return malformed(told, draft, reading.code);
  told.streaks.malformed = 0;
  if (reading.kind === 'answer') {
    return commit(
      {
        ...told,
        ended: { status: 'answered', answer: reading.answer, partial: false },
      },
      { ...draft, outcome: 'answer' },
    );
  }
  if (reading.more > 0) told.notices = [texts.moreCallsNotice(reading.more)];
  return called(told, { ...draft, outcome: 'call', call: reading.call }, config);
}

const commit = (state: AgentState, step: StepDraft): Transition => ({
  state: { ...state, draft: step },
  effect: { type: 'Commit', step },
});

/** One more sample of an empty, cut or garbled reply, where the calls allow it. */
function mayResample(state: AgentState, code: ParseErrorCode, { limits }: AgentConfig): boolean {
  if (!RESAMPLED.has(code) || state.resampled.some(({ errorCode }) => errorCode !== 'context_overflow'))
    return false;
  const reserve = state.final === undefined ? 1 : 0;
  return state.usage.modelCalls < limits.maxModelCalls - reserve;
}

const resampledOf = (state: AgentState, event: Replied, errorCode: ParseErrorCode): Resampled => ({
  attempt: state.attempt,
  errorCode,
  promptTokens: event.promptTokens,
  outputTokens: event.outputTokens,
  ...(event.outputRef ? { outputRef: event.outputRef } : {}),
  ms: event.ms,
  microUsd: event.microUsd,
});

function finalised(state: AgentState, draft: StepDraft, reading: Reading): Transition {
  const answer = reading.kind === 'answer' ? reading.answer : null;
  const step: StepDraft = {
    ...draft,
    outcome: 'final',
    ...(reading.kind === 'error' ? { errorCode: reading.code } : {}),
  };
  return commit({ ...state, ended: { ...forced(state.final!), answer } }, step);
}

function malformed(state: AgentState, draft: StepDraft, errorCode: ParseErrorCode): Transition {
  state.usage.malformed++;
  state.streaks.malformed++;
  const over = state.streaks.malformed > MALFORMED_ALLOWED;
  return commit(
    {
      ...state,
      notices: [texts.malformedNotice(errorCode)],
      ...(over ? { final: 'malformed_limit' as const } : {}),
    },
    { ...draft, errorCode },
  );
}

function called(state: AgentState, draft: StepDraft, config: AgentConfig): Transition {
  const call = draft.call!;
  if (MEMORY_TOOLS.has(call.name) && toolNames(config).includes(call.name)) {
    return remembered(state, draft, config);
  }
  if (state.memory.locked) {
    state.streaks.refusedCalls++;
    const over = state.streaks.refusedCalls >= CALLS_REFUSED;
    return commit(
      {
        ...state,
        notices: [...state.notices, texts.refusedCall(call.name.slice(0, 60))],
        ...(over ? { final: 'memory_exhausted' as const } : {}),
      },
      draft,
    );
  }
  const key = canonicalJson(call);
  const earlier = state.seen[key];
  if (earlier !== undefined) return repeated(state, draft, earlier, config);
  const checked = checkCall(call, config);
  state.streaks.duplicates = 0;
  const seen = { ...state.seen, [key]: draft.n };
  if (!checked.ok) return commit(entered({ ...state, seen }, draft, checked.text, config), draft);
  if (call.name === 'search_internet' && state.usage.searches >= config.limits.maxSearches) {
    return commit(entered(state, draft, texts.searchesUsed(config.limits.maxSearches), config), draft);
  }
  // Counted when it is asked for: a crash before the answer repeats it at most once.
  state.usage.toolCalls++;
  if (call.name === 'search_internet') state.usage.searches++;
  return {
    state: { ...state, seen, draft },
    effect: { type: 'CallTool', n: draft.n, attempt: draft.attempt, call: checked.call },
  };
}

/** A call that was made before never runs again. */
function repeated(state: AgentState, draft: StepDraft, earlier: number, config: AgentConfig): Transition {
  state.streaks.duplicates++;
  const over = state.streaks.duplicates > DUPLICATES_ALLOWED;
  const after: AgentState = over ? { ...state, final: 'duplicate_limit' } : state;
  const entry = state.memory.entries.find(({ step }) => step === earlier);
  const checked = checkCall(draft.call!, config);
  if (!checked.ok) {
    return commit(entered(after, draft, texts.duplicateAgain(earlier, checked.text), config), draft);
  }
  // Its result is asked for again only where there was one and it is gone.
  if (over || (entry && !entry.shortened))
    return commit(entered(after, draft, texts.duplicateAbove(earlier), config), draft);
  return {
    state: { ...after, draft },
    effect: { type: 'CallTool', n: draft.n, attempt: draft.attempt, call: draft.call!, recall: earlier },
  };
}

function remembered(state: AgentState, draft: StepDraft, config: AgentConfig): Transition {
  const call = draft.call!;
  const { Lmem } = sizesOf(config, state.overflowed);
  const checked = checkCall(call, config);
  const change: MemoryChange = !checked.ok
    ? { ok: false, why: checked.text }
    : call.name === 'clean_memory'
      ? clean(state.memory, String(call.arguments.content), config, Lmem)
      : edit(
          state.memory,
          String(call.arguments.result_id),
          call.name === 'edit_result' ? String(call.arguments.content) : undefined,
          config,
          Lmem,
        );
  if (!change.ok) {
    state.streaks.rejectedCleanings++;
    const over = state.streaks.rejectedCleanings >= CLEANINGS_REJECTED;
    return commit(
      {
        ...state,
        notices: [...state.notices, texts.refusedCleaning(call.name, change.why)],
        ...(over ? { final: 'memory_exhausted' as const } : {}),
      },
      draft,
    );
  }
  state.streaks.rejectedCleanings = 0;
  state.streaks.refusedCalls = 0;
  state.streaks.duplicates = 0;
  const told =
    call.name === 'clean_memory'
      ? texts.cleaned(change.erased)
      : texts.edited(String(call.arguments.result_id));
  return commit({ ...state, memory: change.memory, notices: [...state.notices, told] }, draft);
}

/** The state with a step's result in memory. */
function entered(state: AgentState, draft: StepDraft, text: string, config: AgentConfig): AgentState {
  const { memory } = store(state.memory, { step: draft.n, call: draft.call!, text }, config, {
    fixed: fixedTokens(state, config),
    overflowed: state.overflowed,
  });
  return { ...state, memory };
}

function returned(
  before: AgentState,
  event: Extract<AgentEvent, { type: 'ToolReturned' }>,
  config: AgentConfig,
): Transition {
  const { draft } = before;
  if (!draft?.call) throw new Error('A tool returned that no step had called.');
  const { observation } = event;
  const usage = { ...before.usage };
  usage.ms += event.ms;
  usage.microUsd += event.microUsd;
  const earlier = before.seen[canonicalJson(draft.call)];
  const recalled = earlier !== undefined && earlier !== draft.n;
  const text = recalled ? texts.duplicateAgain(earlier, observation.text) : observation.text;
  const { url, sourceRef } = observation.meta;
  const isPage = draft.call.name === 'browse_page' && observation.code === undefined && url !== undefined;
  const pages =
    isPage && !before.pages.some((page) => page.url === url)
      ? [...before.pages, { url, step: draft.n, ...(sourceRef === undefined ? {} : { sourceRef }) }]
      : before.pages;
  const step: StepDraft = {
    ...draft,
    cacheHit: event.cacheHit,
    ms: draft.ms + event.ms,
    microUsd: draft.microUsd + event.microUsd,
    observed: true,
  };
  return commit(entered({ ...before, usage, pages }, draft, text, config), step);
}
