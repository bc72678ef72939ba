import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { toolsAt } from '../indices.ts';
import type { ToolLibraryConfig } from '../config.ts';
import type { SourceTool } from '../refactor/forms.ts';
import { blueprintRole, type BlueprintInput, type BlueprintOutput } from '../roles/blueprint.ts';
import type { Design, NumberedTool } from '../roles/refactoring.ts';
import {
  reviewBlueprintRole,
  type ReviewBlueprintInput,
  type ReviewBlueprintOutput,
} from '../roles/review-blueprint.ts';
import {
  widenBlueprintRole,
  type WidenBlueprintInput,
  type WidenBlueprintOutput,
} from '../roles/widen-blueprint.ts';
import { bucketed, designsOf, joining } from './designs.ts';
import type { PartSources } from './parts.ts';
import { uncoveredIn, withCovered, type ClusterState, type Scenario } from './state.ts';

/** Blueprint as a reducer: the requests of each step, and what the replies make of the clusters (section 4.6). */

export type BlueprintStage = 'blueprint' | 'widen-blueprint' | 'review-blueprint';

interface Step {
  stage: BlueprintStage;
  /** 1, or 2 for what the first pass left uncovered. */
  round: number;
  /** Which widening: from 1. */
  turn: number;
}

type Replies = ReadonlyMap<string, InferResult>;

const outputOf = <T>(replies: Replies, id: string): T | undefined => {
  const reply = replies.get(id);
  return reply?.status === 'ok' ? (reply.output as T) : undefined;
};

const requestId = (
  stage: BlueprintStage,
  round: number,
  cluster: number,
  scenario?: number,
  tool?: string,
): string =>
  [
    `${round}-${cluster}`,
    ...(scenario === undefined ? [] : [`-${scenario}`]),
    ...(tool === undefined ? [] : [`.${tool}`]),
    `:${stage}`,
  ].join('');

export function blueprintRequests(
  states: readonly ClusterState[],
  part: PartSources,
  config: ToolLibraryConfig,
  step: Step,
): InferRequest[] {
  switch (step.stage) {
    case 'blueprint':
      return states.flatMap((state, at) => designRequest(state, at, part, config, step));
    case 'widen-blueprint':
      return states.flatMap((state, at) => widenRequests(state, at, part, config, step));
    case 'review-blueprint':
      return states.flatMap((state, at) => reviewRequests(state, at, part, config, step));
  }
}

/** Tools that a pass designs for. */
const poolOf = ({ cluster, pass }: ClusterState, round: number): string[] =>
  pass === round ? cluster.toolIds : [];

function designRequest(
  state: ClusterState,
  at: number,
  part: PartSources,
  config: ToolLibraryConfig,
  { round }: Step,
): InferRequest[] {
  const pool = poolOf(state, round);
  // A tool alone in its topic has nothing to be general with; the second pass looks further.
  if (pool.length < (round === 1 ? 2 : 1)) return [];
  const { path, description } = state.cluster;
  const input: BlueprintInput = {
    path,
    description,
    tools: pool.map((id, n) => viewOf(id, n + 1, part)),
    analysis: {
      sibs: config.builtin.blueprint
        ? designsOf(state.cluster, sourcesIn(pool, part), (id) => pool.indexOf(id) + 1, round > 1)
        : [],
    },
  };
  return [
    requestFor(blueprintRole, input, {
      id: requestId('blueprint', round, at),
      model: config.models.blueprint,
    }),
  ];
}

/** Scenarios of this pass that a widening is asked for: all at first, then those with suggestions. */
const toWiden = (state: ClusterState, { round, turn }: Step): { scenario: Scenario; index: number }[] =>
  state.scenarios
    .map((scenario, index) => ({ scenario, index }))
    .filter(({ scenario }) => scenario.pass === round && (turn === 1 || scenario.suggestions.length > 0));

function widenRequests(
  state: ClusterState,
  at: number,
  part: PartSources,
  config: ToolLibraryConfig,
  step: Step,
): InferRequest[] {
  const { toolIds } = state.cluster;
  const numberOf = (id: string): number => toolIds.indexOf(id) + 1;
  const free = new Set(uncoveredIn(state));
  return toWiden(state, step).map(({ scenario, index }) => {
    const covered = scenario.toolIds.map(numberOf);
    const joined = config.builtin['widen-blueprint']
      ? joining(sourcesIn(scenario.toolIds, part), sourcesIn([...free], part))
      : [];
    for (const id of joined) free.delete(id);
    const all = [...scenario.toolIds, ...joined];
    const sib = withCovered(scenario, covered);
    const input: WidenBlueprintInput = {
      sib,
      suggestions: scenario.suggestions,
      tools: scenario.toolIds.map((id) => viewOf(id, numberOf(id), part)),
      others: uncoveredIn(state).map((id) => viewOf(id, numberOf(id), part)),
      analysis: {
        sib:
          joined.length > 0
            ? { ...sib, ...functionsAlso(state, sourcesIn(all, part)), covered: all.map(numberOf) }
            : sib,
      },
    };
    return requestFor(widenBlueprintRole, input, {
      id: requestId('widen-blueprint', step.round, at, index),
      model: config.models['widen-blueprint'],
      // A second widening is another draw.
      params: { sample: step.turn - 1 },
    });
  });
}

/** The functions of a wider set of tools. */
const functionsAlso = (state: ClusterState, tools: readonly SourceTool[]): Pick<Design, 'functions'> => ({
  functions: designsOf(state.cluster, tools, () => 1, true).flatMap(({ functions }) => functions),
});

function reviewRequests(
  state: ClusterState,
  at: number,
  part: PartSources,
  config: ToolLibraryConfig,
  { round }: Step,
): InferRequest[] {
  const { toolIds } = state.cluster;
  const numberOf = (id: string): number => toolIds.indexOf(id) + 1;
  return state.scenarios.flatMap((scenario, index) => {
    if (scenario.pass !== round) return [];
    const merged = config.builtin['review-blueprint']
      ? bucketed(sourcesIn(scenario.toolIds, part))
      : new Set<string>();
    const sib = withCovered(scenario, scenario.toolIds.map(numberOf));
    return scenario.toolIds.map((id) => {
      const [first] = part.cases.get(id) ?? [];
      const input: ReviewBlueprintInput = {
        sib,
        tool: viewOf(id, numberOf(id), part),
        question: first?.question ?? '',
        call: first ? [...(first.setup === undefined ? [] : [first.setup]), first.call].join('\n') : '',
        analysis: { hasBucket: merged.has(id) },
      };
      return requestFor(reviewBlueprintRole, input, {
        id: requestId('review-blueprint', round, at, index, id),
        model: config.models['review-blueprint'],
      });
    });
  });
}

const viewOf = (id: string, number: number, part: PartSources): NumberedTool => {
  const { name, description, code } = part.tools.get(id)!;
  return { number, name, description, code };
};

const sourcesIn = (ids: readonly string[], part: PartSources): SourceTool[] =>
  ids.flatMap((id) => {
    const source = part.sources.get(id);
    return source ? [source] : [];
  });

/**
 * Takes the replies in. The states given are changed.
 * @returns scenarios to go on with in the next step; 0 ends the pass.
 */
export function applyBlueprint(
  states: readonly ClusterState[],
  replies: Replies,
  config: ToolLibraryConfig,
  step: Step,
): number {
  const { round, turn } = step;
  const most = config.input.rounds.blueprint;
  switch (step.stage) {
    case 'blueprint':
      for (const [at, state] of states.entries()) takeDesigns(state, at, replies, round);
      return count(states, (scenario) => scenario.pass === round);
    case 'widen-blueprint':
      for (const [at, state] of states.entries()) takeWidening(state, at, replies, step);
      // The first widening is reviewed always, later ones only where another may follow.
      return turn === 1 || turn < most ? count(states, (scenario) => scenario.pass === round) : 0;
    case 'review-blueprint':
      for (const [at, state] of states.entries()) takeReviews(state, at, replies, round);
      return turn < most
        ? count(states, (scenario) => scenario.pass === round && scenario.suggestions.length > 0)
        : 0;
  }
}

const count = (states: readonly ClusterState[], which: (scenario: Scenario) => boolean): number =>
  states.reduce((sum, { scenarios }) => sum + scenarios.filter(which).length, 0);

function takeDesigns(state: ClusterState, at: number, replies: Replies, round: number): void {
  const pool = poolOf(state, round);
  const output = outputOf<BlueprintOutput>(replies, requestId('blueprint', round, at));
  const taken = new Set<string>();
  for (const { covered, ...design } of output?.sibs ?? []) {
    // A tool is in one scenario: the first that names it.
    const toolIds = toolsAt(covered, pool).ids.filter((id) => !taken.has(id));
    if (toolIds.length === 0) continue;
    for (const id of toolIds) taken.add(id);
    state.scenarios.push({ design, toolIds, pass: round, suggestions: [], widenings: 0 });
  }
}

function takeWidening(state: ClusterState, at: number, replies: Replies, step: Step): void {
  for (const { scenario, index } of toWiden(state, step)) {
    scenario.suggestions = [];
    const output = outputOf<WidenBlueprintOutput>(
      replies,
      requestId('widen-blueprint', step.round, at, index),
    );
    // A reply that cannot be read leaves the scenario as it is; what it covered it covers still.
    if (!output) continue;
    const { covered, ...design } = output.sib;
    const free = new Set(uncoveredIn(state));
    const added = toolsAt(covered, state.cluster.toolIds).ids.filter((id) => free.has(id));
    scenario.design = design;
    scenario.toolIds = [...scenario.toolIds, ...added];
    scenario.widenings++;
  }
}

function takeReviews(state: ClusterState, at: number, replies: Replies, round: number): void {
  for (const [index, scenario] of state.scenarios.entries()) {
    if (scenario.pass !== round) continue;
    const outputs = scenario.toolIds.map((id) =>
      outputOf<ReviewBlueprintOutput>(replies, requestId('review-blueprint', round, at, index, id)),
    );
    scenario.suggestions = [
      ...new Set(
        outputs.flatMap((output) => {
          if (output?.verdict !== 'NEED_PATCHING') return [];
          return output.suggestions.length > 0 ? output.suggestions : [output.reason];
        }),
      ),
    ].filter((suggestion) => suggestion !== '');
  }
}
