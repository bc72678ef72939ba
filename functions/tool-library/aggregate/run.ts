import type { Case } from '#shared/library/types.ts';
import type { SandboxRequest, SandboxResult } from '#shared/sandbox/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { readCall, type CallShape } from '../analysis/calls.ts';
import { functionNamed, functionsOf, parametersOf } from '../analysis/functions.ts';
import { MAX_PERTURBED, perturbedCalls } from '../analysis/perturb.ts';
import type { PartSources } from '../blueprint/parts.ts';
import { passes, resultText, sameValue } from '../cases.ts';
import type { Limits, RunBatch } from '../create/run-cases.ts';
import { valueText } from '../create/values.ts';
import { parseTools, unparse } from '../python/analyser.ts';
import type { AstNode, ModuleNode } from '../python/ast.ts';
import type { SourceTool } from '../refactor/forms.ts';
import { callWithin, mapExpression, replaceCall, type Adapter } from '../refactor/mapping.ts';
import type { Execution } from '../roles/review-code.ts';
import { readingsOf } from './adapters.ts';
import { liveSibs, type GatedCall, type SibState } from './state.ts';

/**
 * RunSibCases (section 9): every mapped call, and up to 8 changed calls a tool on the source and on the function that is
 * to replace it. Where the source raises, the function may do as it likes.
 */

/** Changed calls a tool. */
const COMPARED = 8;
/** Changed calls may run away where the real one does not: they get less time. */
const PERTURBED_MS = 1000;

/** A changed call of a source, and the readings of it as a call of the function. */
interface Changed {
  source: string;
  /** One a reading; undefined where it does not fit. */
  readings: (string | undefined)[];
  setup?: string;
}

/** The same as trees. */
interface ChangedTrees {
  source: AstNode;
  readings: (AstNode | undefined)[];
  setup?: string;
}

interface ToolRun {
  state: SibState;
  tool: SourceTool;
  code: string;
  calls: GatedCall[];
  changed: Changed[];
}

export const codeFor = (state: SibState, name: string): string => {
  const { module, functions } = state.gated!;
  const code = functions.find((each) => each.name === name)?.code ?? '';
  return module === undefined ? code : `${module}\n\n${code}`;
};

export async function runSibCases(
  states: readonly SibState[],
  part: PartSources,
  limits: Limits,
  run: RunBatch,
): Promise<void> {
  const runs: ToolRun[] = [];
  for (const state of liveSibs(states)) {
    state.executions = [];
    if (state.gated && state.gated.calls.length > 0) runs.push(...(await runsOf(state, part)));
  }
  const results = await run(runs.flatMap((each, at) => requestsOf(each, at, limits)));
  for (const [at, each] of runs.entries()) {
    const executions = each.calls.map((call) =>
      execution(each, call, part, results.get(`${at}:${call.caseId}`)),
    );
    const compared = comparison(each, at, results);
    each.state.executions.push(
      ...executions.map((one) => ({
        ...one,
        agreed: compared.agreed,
        compared: compared.compared,
        ...(compared.difference === undefined ? {} : { difference: compared.difference }),
      })),
    );
  }
}

async function runsOf(state: SibState, part: PartSources): Promise<ToolRun[]> {
  const { functions, calls } = state.gated!;
  const trees = await parseTools(functions.map(({ code }) => code));
  const definitions: ModuleNode = {
    _: 'Module',
    body: trees.flatMap((parsed) => (parsed.ok ? functionsOf(parsed.ast) : [])),
  };
  const shapes = await shapesOf(definitions, calls);
  const runs: ToolRun[] = [];
  const plans: (ChangedTrees & { run: ToolRun })[] = [];
  for (const id of state.sib.coveredToolIds) {
    const tool = part.sources.get(id);
    const own = calls.filter(
      ({ toolId, function: fn }) => toolId === id && functions.some(({ name }) => name === fn),
    );
    if (!tool || own.length === 0) continue;
    const entry: ToolRun = { state, tool, code: part.tools.get(id)!.code, calls: own, changed: [] };
    runs.push(entry);
    for (const plan of changedCalls(tool, own, shapes, state.adapters[id]))
      plans.push({ run: entry, ...plan });
  }
  await writeChanged(plans);
  return runs;
}

async function shapesOf(
  definitions: ModuleNode,
  calls: readonly GatedCall[],
): Promise<Map<string, CallShape>> {
  const parsed = await parseTools(
    calls.map(({ setup, call }) => (setup === undefined ? call : `${setup}\n${call}`)),
  );
  const shapes = new Map<string, CallShape>();
  for (const [n, { caseId }] of calls.entries()) {
    const call = parsed[n]!;
    const shape = call.ok ? readCall(definitions, call.ast) : undefined;
    if (typeof shape === 'object') shapes.set(caseId, shape);
  }
  return shapes;
}

/** Changed calls of a tool as calls of its function: by the draft's adapter, else by every reading of the mapping. */
function* changedCalls(
  tool: SourceTool,
  calls: readonly GatedCall[],
  shapes: ReadonlyMap<string, CallShape>,
  exact: Adapter | undefined,
): Generator<ChangedTrees> {
  const fn = functionNamed(tool.ast, tool.entry)!;
  const parameters = parametersOf(fn);
  const cases = tool.cases.filter(({ id }) => calls.some(({ caseId }) => caseId === id));
  const adapters = exact ? [exact] : readingsOf(tool, shapes);
  let left = COMPARED;
  for (const { id, shape, setup } of cases) {
    const after = shapes.get(id);
    for (const source of perturbedCalls(shape, fn).slice(0, MAX_PERTURBED)) {
      if (left === 0) return;
      // What setup works out is not changed with the arguments: such calls say nothing.
      if (setup !== undefined && setup.trim() !== '' && shape.arguments.size < parameters.length) continue;
      left--;
      const readings = adapters.map((adapter) => mapChanged(source, tool.entry, parameters, adapter, after));
      yield { source, readings, ...(setup === undefined ? {} : { setup }) };
    }
  }
}

/** The changed call through a reading, in what stands around the mapped call. */
function mapChanged(
  source: AstNode,
  entry: string,
  parameters: readonly { name: string; default?: AstNode }[],
  adapter: Adapter,
  after: CallShape | undefined,
): AstNode | undefined {
  const call = callWithin(source, entry);
  const mapped = call && mapExpression(call, entry, parameters, adapter);
  return mapped && after && replaceCall(after.expression, after.call, mapped);
}

/** Writes all trees as texts in one go. */
async function writeChanged(plans: readonly (ChangedTrees & { run: ToolRun })[]): Promise<void> {
  const trees = plans.flatMap(({ source, readings }) => [
    source,
    ...readings.filter((node) => node !== undefined),
  ]);
  const texts = await unparse(trees);
  let next = 0;
  for (const { run, readings, setup } of plans) {
    run.changed.push({
      source: texts[next++]!,
      readings: readings.map((node) => (node ? texts[next++]! : undefined)),
      ...(setup === undefined ? {} : { setup }),
    });
  }
}

function requestsOf({ state, code, calls, changed }: ToolRun, at: number, limits: Limits): SandboxRequest[] {
  const quick = { ...limits, timeoutMs: Math.min(limits.timeoutMs, PERTURBED_MS) };
  const fn = codeFor(state, calls[0]!.function);
  return [
    ...calls.map(({ caseId, function: name, setup: own, call }): SandboxRequest => ({
      ...limits,
      id: `${at}:${caseId}`,
      code: codeFor(state, name),
      call,
      ...(own === undefined ? {} : { setup: own }),
    })),
    ...changed.flatMap(({ source, readings, setup }, n): SandboxRequest[] => {
      const before = setup === undefined ? {} : { setup };
      return [
        { ...quick, id: `${at}:s${n}`, code, call: source, ...before },
        ...readings.flatMap((call, reading): SandboxRequest[] =>
          call === undefined ? [] : [{ ...quick, id: `${at}:s${n}.${reading}`, code: fn, call, ...before }],
        ),
      ];
    }),
  ];
}

function execution(
  { tool }: ToolRun,
  { caseId, call }: GatedCall,
  part: PartSources,
  result: SandboxResult | undefined,
): Omit<Execution, 'agreed' | 'compared'> {
  const own = part.cases.get(tool.id)!.find(({ id }) => id === caseId) as Case;
  return {
    caseId,
    tool: tool.name,
    call,
    expected: valueText(own.expected as Json).slice(0, 300),
    given: resultText(result),
    passed: passes(own, result),
  };
}

interface Comparison {
  agreed: number;
  compared: number;
  difference?: string;
}

/** The reading under which most changed calls agree: where all do, both are equivalent. */
function comparison(
  { changed, tool }: ToolRun,
  at: number,
  results: ReadonlyMap<string, SandboxResult>,
): Comparison {
  const returned = changed
    .map((call, n) => ({ call, n, before: results.get(`${at}:s${n}`) }))
    .filter(({ before }) => before?.ok === true);
  const readings = Math.max(0, ...changed.map((call) => call.readings.length));
  if (changed.length > 0 && readings === 0) {
    return {
      agreed: 0,
      compared: returned.length,
      difference: `the mapping of ${tool.name} does not show which argument is which.`,
    };
  }
  let best: Comparison | undefined;
  for (let reading = 0; reading < Math.max(1, readings); reading++) {
    const one: Comparison = { agreed: 0, compared: returned.length };
    for (const { call, n, before } of returned) {
      const after = results.get(`${at}:s${n}.${reading}`);
      if (before?.ok === true && after?.ok === true && sameValue(before.value, after.value)) one.agreed++;
      else
        one.difference ??= `${call.source} gives ${resultText(before)}, ${call.readings[reading] ?? 'its call'} gives ${resultText(after)}.`;
    }
    if (!best || one.agreed > best.agreed) best = one;
  }
  return best!;
}
