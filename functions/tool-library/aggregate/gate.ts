import { TOOL_NAME } from '#shared/library/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { readCall, type CallShape } from '../analysis/calls.ts';
import { functionNamed, functionsOf, signatureProblem } from '../analysis/functions.ts';
import { policyFinding } from '../analysis/policy.ts';
import { deriveInterface } from '../analysis/schema.ts';
import type { PartSources } from '../blueprint/parts.ts';
import { toolId } from '../ids.ts';
import { parseTools, unparse } from '../python/analyser.ts';
import type { AstNode, ModuleNode, ParsedCode } from '../python/ast.ts';
import type { Code, FeedbackItem } from '../roles/refactoring.ts';
import { furtherCalls } from './further.ts';
import { liveSibs, type GatedCall, type GatedFunction, type SibState } from './state.ts';

/** The gate between the code agent and the sandbox: what parses, is flat, keeps the policy, and calls what is there. */

export async function gateCode(
  states: readonly SibState[],
  part: PartSources,
  packages: readonly string[],
): Promise<void> {
  for (const state of liveSibs(states)) {
    if (state.code && !state.gated) await gateOne(state, part, packages);
  }
}

const say = (problem: string, suggestion: string, caseId?: string): FeedbackItem => ({
  ...(caseId === undefined ? {} : { caseId }),
  problem,
  suggestion,
});

async function gateOne(state: SibState, part: PartSources, packages: readonly string[]): Promise<void> {
  const { module, functions, mapping } = state.code!;
  const problems: FeedbackItem[] = [];
  const [moduleCode, ...codes] = await parseTools([module, ...functions.map(({ code }) => code)]);
  const moduleProblem = examineModule(moduleCode!, functions, packages);
  if (moduleProblem !== undefined) problems.push(say(`The module ${moduleProblem}`, 'Repair the module.'));
  const good = new Map<string, { tree: ModuleNode; fn: AstNode; code: string }>();
  for (const [n, { name }] of functions.entries()) {
    const found = good.has(name) ? 'is defined twice.' : examineFunction(name, codes[n]!, packages);
    if (typeof found === 'string')
      problems.push(say(`The function ${name.slice(0, 100)} ${found}`, 'Repair the function.'));
    else good.set(name, { tree: found.tree, fn: found.fn, code: found.code });
  }
  const names: ModuleNode = {
    _: 'Module',
    body: [...good.values()].flatMap(({ tree }) => functionsOf(tree)),
  };
  const mapped = await mapCases(state, part, names, mapping, problems);
  const further = await furtherCalls(state, part, new Map(mapped.map((each) => [each.caseId, each.shape])));
  const all = [...mapped, ...(await mapCases(state, part, names, further, problems))];
  const shapes = [...Map.groupBy(all, (each) => each.toolId).values()].flat();
  const usesModule = moduleProblem === undefined && moduleCode!.ok && moduleCode!.ast.body.length > 0;
  const moduleText = usesModule && moduleCode!.ok ? moduleCode!.code : undefined;
  const texts = await unparse(shapes.map(({ shape }) => shape.expression));
  state.gated = {
    ...(moduleText === undefined ? {} : { module: moduleText }),
    functions:
      moduleProblem === undefined
        ? [...good].map(([name, { fn, code }]) => describe(name, fn, code, moduleText, shapes))
        : [],
    calls:
      moduleProblem === undefined
        ? shapes.map(({ caseId, toolId: source, setup, shape }, n): GatedCall => ({
            caseId,
            toolId: source,
            function: shape.entry,
            ...(setup === undefined ? {} : { setup }),
            call: texts[n]!,
          }))
        : [],
    problems,
  };
}

const PLACES = new Set(['Import', 'ImportFrom', 'FunctionDef', 'ClassDef', 'Assign', 'AnnAssign', 'Expr']);

function examineModule(
  parsed: ParsedCode,
  functions: readonly { name: string }[],
  packages: readonly string[],
): string | undefined {
  if (!parsed.ok) return `does not parse: line ${parsed.error.line}: ${parsed.error.message}.`;
  const stray = parsed.ast.body.find((node) => !PLACES.has(node._));
  if (stray)
    return `has a ${stray._} statement in line ${stray.lineno ?? 0}: it holds definitions and constants alone.`;
  const finding = policyFinding(parsed.ast, packages);
  if (finding) return `cannot be used. ${finding.message}`;
  const names = new Set(functions.map(({ name }) => name));
  const both = functionsOf(parsed.ast).find((node) => names.has(String(node.name)));
  return both ? `defines the public function ${String(both.name)} too.` : undefined;
}

function examineFunction(
  name: string,
  parsed: ParsedCode,
  packages: readonly string[],
): { tree: ModuleNode; fn: AstNode; code: string } | string {
  if (!TOOL_NAME.test(name))
    return 'has a name that tools cannot have: lower-case letters, digits and _, at most 64.';
  if (!parsed.ok) return `does not parse: line ${parsed.error.line}: ${parsed.error.message}.`;
  const fn = functionNamed(parsed.ast, name);
  if (!fn) return 'is not defined in its own code.';
  const stray = parsed.ast.body.find((node) => node !== fn && node._ !== 'Import' && node._ !== 'ImportFrom');
  if (stray)
    return `has more in its code than imports and itself (line ${stray.lineno ?? 0}): that belongs into the module.`;
  const signature = signatureProblem(fn);
  if (signature !== undefined) return `${signature}.`;
  const finding = policyFinding(parsed.ast, packages);
  if (finding) return `cannot be used. ${finding.message}`;
  return { tree: parsed.ast, fn, code: parsed.code };
}

interface MappedCase {
  caseId: string;
  toolId: string;
  setup?: string;
  shape: CallShape;
}

/** The mapping's calls that have what they call; what is wrong with the others. */
async function mapCases(
  state: SibState,
  part: PartSources,
  functions: ModuleNode,
  mapping: Code['mapping'],
  problems: FeedbackItem[],
): Promise<MappedCase[]> {
  const calls = await parseTools(
    mapping.map(({ setup, call }) => (setup === undefined ? call : `${setup}\n${call}`)),
  );
  const toolOf = new Map(
    state.sib.coveredToolIds.flatMap((id) =>
      (part.cases.get(id) ?? []).map((each) => [each.id, id] as const),
    ),
  );
  const mapped = new Map<string, MappedCase>();
  for (const [n, { caseId, setup }] of mapping.entries()) {
    const source = toolOf.get(caseId);
    const call = calls[n]!;
    const wrong = (problem: string): void =>
      void problems.push(say(problem, 'Map the case to one call of one function.', caseId));
    if (source === undefined) wrong(`There is no case ${caseId.slice(0, 40)} in this scenario.`);
    else if (mapped.has(caseId)) wrong('The case is mapped twice.');
    else if (!call.ok) wrong(`The mapped call does not parse: ${call.error.message}.`);
    else {
      const shape = readCall(functions, call.ast);
      if (typeof shape === 'string') wrong(shape);
      else mapped.set(caseId, { caseId, toolId: source, shape, ...(setup === undefined ? {} : { setup }) });
    }
  }
  return [...mapped.values()];
}

function describe(
  name: string,
  fn: AstNode,
  code: string,
  module: string | undefined,
  shapes: readonly MappedCase[],
): GatedFunction {
  const examples = new Map<string, AstNode[]>();
  for (const { shape } of shapes) {
    if (shape.entry !== name) continue;
    for (const [parameter, node] of shape.arguments) {
      examples.set(parameter, [...(examples.get(parameter) ?? []), node]);
    }
  }
  const { schema, description } = deriveInterface(fn, examples);
  return {
    name,
    code,
    id: toolId(module === undefined ? code : `${module}\n\n${code}`, name),
    description,
    schema: schema as Record<string, Json>,
  };
}
