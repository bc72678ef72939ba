import type { Case } from '#shared/library/types.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { PartSources } from '../blueprint/parts.ts';
import type { ToolLibraryConfig } from '../config.ts';
import type { Limits, RunBatch } from '../create/run-cases.ts';
import { applySolve, openCount, openTranscripts, solveRequests } from '../create/solving.ts';
import type { Draft, Item } from '../create/state.ts';
import { codeFor } from './run.ts';
import { liveSibs, type SibState } from './state.ts';

/** Turns that re-solve the covered questions with the new functions: the create loop's, on questions of scenarios. */

/** Functions that a solver is shown. */
const MAX_SHOWN = 8;
/** Questions a scenario with `review: "sample"`. */
const SAMPLE = 10;

/** The config of these turns: one attempt a question and model, no counterfactual. */
const once = (config: ToolLibraryConfig): ToolLibraryConfig => ({
  ...config,
  input: { ...config.input, solve: { ...config.input.solve, repeats: 1, counterfactual: false } },
});

/** Chooses the questions and opens their transcripts. @returns how many transcripts wait for a turn. */
export function openAttempts(
  states: readonly SibState[],
  part: PartSources,
  config: ToolLibraryConfig,
): number {
  const { review } = config.input;
  for (const state of liveSibs(states)) {
    state.attempts = [];
    if (review === 'execute' || !state.gated) continue;
    const right = state.executions.filter(({ passed }) => passed).map(({ caseId }) => caseId);
    const questions = new Set<string>();
    for (const caseId of right) {
      const own = caseOf(state, caseId, part);
      if (own?.expectedFrom !== 'gold' || questions.has(own.questionId)) continue;
      if (review === 'sample' && questions.size >= SAMPLE) break;
      questions.add(own.questionId);
      state.attempts.push({ caseId, transcripts: [] });
    }
  }
  const items = itemsOf(states, part);
  openTranscripts(items, once(config));
  keep(states, items);
  return openCount(items);
}

export const resolveRequests = (states: readonly SibState[], part: PartSources): InferRequest[] =>
  solveRequests(itemsOf(states, part));

/** @returns how many transcripts go on. */
export async function applyResolve(
  states: readonly SibState[],
  part: PartSources,
  replies: ReadonlyMap<string, InferResult>,
  turn: number,
  config: ToolLibraryConfig,
  limits: Limits,
  run: RunBatch,
): Promise<number> {
  const items = itemsOf(states, part);
  await applySolve(items, replies, turn, once(config), limits, run);
  keep(states, items);
  return openCount(items);
}

const caseOf = ({ sib }: SibState, caseId: string, part: PartSources): Case | undefined =>
  sib.coveredToolIds.flatMap((id) => part.cases.get(id) ?? []).find(({ id }) => id === caseId);

/** Every attempt as an item of the create loop, in the order of the states. */
function itemsOf(states: readonly SibState[], part: PartSources): Item[] {
  return liveSibs(states).flatMap((state) =>
    state.attempts.map(({ caseId, transcripts }): Item => {
      const { question, expected } = caseOf(state, caseId, part)!;
      const row = {
        id: `${state.sib.id}.${caseId}`,
        line: 1,
        question,
        answer: expected as Json,
        code: '',
        call: '',
        tags: [],
      };
      return {
        row: { kind: 'tool', row },
        validation: 'both',
        round: 1,
        status: 'live',
        drafts: draftsFor(state, caseId),
        transcripts,
        attempts: 0,
        improvements: [],
        admitted: [],
        rejects: [],
      };
    }),
  );
}

function draftsFor(state: SibState, caseId: string): Draft[] {
  const { functions, calls } = state.gated!;
  const own = calls.find((call) => call.caseId === caseId)?.function;
  const others = functions.filter(({ name }) => name !== own).slice(0, MAX_SHOWN - 1);
  const shown = functions.filter((each) => each.name === own || others.includes(each));
  return shown.map(({ name, id, schema, description }, index) => ({
    index,
    round: 1,
    tags: [],
    code: '',
    call: '',
    gated: {
      toolId: id,
      name,
      aliases: [],
      kind: 'compute',
      schema,
      description,
      code: codeFor(state, name),
      codeHash: '',
      call: '',
      perturbed: [],
      literals: [],
      handled: [],
    },
  }));
}

function keep(states: readonly SibState[], items: readonly Item[]): void {
  let next = 0;
  for (const state of liveSibs(states)) {
    for (const attempt of state.attempts) attempt.transcripts = items[next++]!.transcripts;
  }
}
