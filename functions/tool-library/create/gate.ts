import { TOOL_NAME } from '#shared/library/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { readCall, type CallShape } from '../analysis/calls.ts';
import { functionNamed, signatureProblem } from '../analysis/functions.ts';
import { handledLiterals, kindOf, literalsOf } from '../analysis/literals-of.ts';
import { allNoneCall, perturbedCalls } from '../analysis/perturb.ts';
import { policyFinding } from '../analysis/policy.ts';
import { renameFunction, wordsIn } from '../analysis/rename.ts';
import { deriveInterface } from '../analysis/schema.ts';
import { numbered } from '../collect/clashes.ts';
import { toolId } from '../ids.ts';
import { parseTools, unparse } from '../python/analyser.ts';
import type { AstNode, ModuleNode, ParsedCode } from '../python/ast.ts';
import type { Draft, Gated, Item } from './state.ts';
import { liveDrafts } from './state.ts';

/** The gate between writing a tool and running it: it parses, can be called by names, keeps the policy (section 4). */

/** What stands between a draft and the gate's finding: trees whose texts are still to be written. */
interface Pending {
  draft: Draft;
  code: AstNode;
  setup: AstNode[];
  call: AstNode;
  perturbed: AstNode[];
  allNone: AstNode | undefined;
  known: Omit<Gated, 'code' | 'codeHash' | 'setup' | 'call' | 'perturbed' | 'allNone'>;
}

/** Puts every live draft that has not been through the gate. The items given are changed. */
export async function gate(items: readonly Item[], packages: readonly string[]): Promise<void> {
  const drafts = items.flatMap((item) => liveDrafts(item).filter(({ gated, syntax }) => !gated && !syntax));
  const codes = await parseTools(drafts.map(({ code }) => code));
  const calls = await parseTools(
    drafts.map(({ setup, call }) => (setup === undefined ? call : `${setup}\n${call}`)),
  );
  const pending: Pending[] = [];
  for (const [n, draft] of drafts.entries()) {
    const examined = examine(draft, codes[n]!, calls[n]!, packages);
    if (examined) pending.push(examined);
  }
  await writeTexts(pending);
}

/** Looks at one draft; sets its refusal or its syntax error where it has one. */
function examine(
  draft: Draft,
  code: ParsedCode,
  call: ParsedCode,
  packages: readonly string[],
): Pending | undefined {
  // Of several faults the first that section 11 lists: the call comes before the code.
  if (!call.ok) {
    draft.refusal = { code: 'UNSUPPORTED_CALL', message: `The call does not parse: ${call.error.message}.` };
    return undefined;
  }
  if (!code.ok) {
    const { message, line } = code.error;
    if (draft.fixed) {
      draft.refusal = {
        code: 'SYNTAX_ERROR',
        message: line > 0 ? `Line ${line}: ${message}.` : `${message}.`,
      };
    } else draft.syntax = code.error;
    return undefined;
  }
  const shape = readCall(code.ast, call.ast);
  if (typeof shape === 'string') {
    draft.refusal = { code: 'UNSUPPORTED_CALL', message: shape };
    return undefined;
  }
  const fn = functionNamed(code.ast, shape.entry)!;
  const signature = signatureProblem(fn);
  if (signature !== undefined) {
    draft.refusal = { code: 'SCHEMA_INVALID', message: `${shape.entry} ${signature}.` };
    return undefined;
  }
  const findings = [policyFinding(code.ast, packages), policyFinding(call.ast, packages)];
  const finding = findings.find((each) => each?.code === 'POLICY_IMPORT') ?? findings.find((each) => each);
  if (finding) {
    draft.refusal = finding;
    return undefined;
  }
  return pendingOf(draft, code, shape, fn);
}

function pendingOf(
  draft: Draft,
  { ast, code }: ParsedCode & { ok: true },
  shape: CallShape,
  fn: AstNode,
): Pending {
  const name = nameFor(shape, ast as ModuleNode);
  const renamed = name !== shape.entry;
  const rename = <T extends AstNode>(tree: T): T =>
    renamed ? renameFunction(tree, shape.entry, name) : tree;
  const examples = new Map([...shape.arguments].map(([parameter, node]) => [parameter, [node]]));
  const { schema, description } = deriveInterface(fn, examples);
  const none = allNoneCall(shape, fn);
  return {
    draft,
    code: rename(ast as ModuleNode),
    setup: shape.setup.map(rename),
    call: rename(shape.expression),
    perturbed: perturbedCalls(shape, fn).map(rename),
    allNone: none && rename(none),
    known: {
      toolId: toolId(code, shape.entry),
      name,
      aliases: renamed ? [shape.entry] : [],
      kind: kindOf(ast, shape.entry),
      schema: schema as Record<string, Json>,
      description,
      literals: literalsOf(ast),
      handled: handledLiterals(ast),
    },
  };
}

/** The entry's name as tools may have it, and none that the code or the call uses for something else. */
function nameFor({ entry, expression, setup }: CallShape, code: ModuleNode): string {
  const name = toolName(entry);
  if (name === entry) return name;
  const words = wordsIn(code, expression, ...setup);
  return words.has(name) ? numbered(name, (candidate) => !words.has(candidate)) : name;
}

/** The name as tools may have it: `CalcProfit` is `calc_profit`, what has no letter of ours is `tool`. */
export function toolName(name: string): string {
  if (TOOL_NAME.test(name)) return name;
  const snake = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replaceAll('ß', 'ss')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z\d_]+/g, '_')
    .slice(0, 64);
  if (!/[a-z]/.test(snake)) return 'tool';
  return TOOL_NAME.test(snake) ? snake : `tool_${snake}`.slice(0, 64);
}

/** Writes the trees as texts, all in one go. */
async function writeTexts(pending: readonly Pending[]): Promise<void> {
  const trees: AstNode[] = [];
  const at = (node: AstNode): number => trees.push(node) - 1;
  const plans = pending.map(({ code, setup, call, perturbed, allNone }) => ({
    code: at(code),
    setup: setup.length > 0 ? at({ _: 'Module', body: setup }) : undefined,
    call: at(call),
    perturbed: perturbed.map(at),
    allNone: allNone && at(allNone),
  }));
  const texts = await unparse(trees);
  for (const [n, plan] of plans.entries()) {
    const { draft, known } = pending[n]!;
    const code = texts[plan.code]!;
    draft.gated = {
      ...known,
      code,
      codeHash: sha256Hex(code).slice(0, 16),
      ...(plan.setup === undefined ? {} : { setup: texts[plan.setup]! }),
      call: texts[plan.call]!,
      perturbed: plan.perturbed.map((index) => texts[index]!),
      ...(plan.allNone === undefined ? {} : { allNone: texts[plan.allNone]! }),
    };
  }
}
