import { docstringOf } from '../analysis/docstring.ts';
import { parametersOf, signatureProblem } from '../analysis/functions.ts';
import { nodesOf, numberOf } from '../analysis/literals.ts';
import { usesOf } from '../analysis/rename.ts';
import { pythonIn, type PythonReasoning } from '../builtin/python-reasoning.ts';
import { parseTools, unparse } from '../python/analyser.ts';
import { isNode, type AstNode } from '../python/ast.ts';
import { namesIn } from '../refactor/names.ts';

/** Reasoning that is Python, read for the builtin extraction: what `analysis.python` holds. */

/** The statements of each reasoning text that is Python; undefined for the others. */
export async function readReasonings(texts: readonly string[]): Promise<(PythonReasoning | undefined)[]> {
  const codes = texts.map(pythonIn);
  const parsed = await parseTools(codes.map((code) => code ?? ''));
  const out: (PythonReasoning | undefined)[] = [];
  for (const [n, result] of parsed.entries()) {
    const code = codes[n];
    if (code === undefined || !result.ok || result.ast.body.length === 0) out.push(undefined);
    else out.push(await statementsOf(unwrapped(result.ast.body)));
  }
  return out;
}

/**
 * Solutions are often written as one function without parameters that is called or printed at the end: what counts is
 * its body.
 */
function unwrapped(body: readonly AstNode[]): readonly AstNode[] {
  const imports = body.filter(({ _ }) => _ === 'Import' || _ === 'ImportFrom');
  const [fn, ...rest] = body.filter((node) => !imports.includes(node));
  if (fn?._ !== 'FunctionDef' || parametersOf(fn).length > 0 || signatureProblem(fn) !== undefined)
    return body;
  const calls = rest.every(
    (node) => (node._ === 'Expr' || node._ === 'Assign') && namesIn([node]).has(String(fn.name)),
  );
  if (!calls || usesOf(fn, String(fn.name)).size > 1) return body;
  const inner = nodesOf(fn.body);
  return [...imports, ...(docstringOf(fn) === undefined ? inner : inner.slice(1))];
}

async function statementsOf(body: readonly AstNode[]): Promise<PythonReasoning> {
  const values = body.map(valueNode);
  const texts = await unparse([...body, ...values.filter((node) => node !== undefined)]);
  let next = body.length;
  return body.map((node, n) => {
    const value = values[n] === undefined ? undefined : texts[next++]!;
    const target = targetOf(node);
    const number = target !== undefined && isNode(node.value) ? numberOf(node.value) : undefined;
    return {
      text: texts[n]!,
      kind: kindOf(node),
      ...(target === undefined ? {} : { target }),
      ...(number === undefined ? {} : { number }),
      ...(value === undefined ? {} : { value }),
    };
  });
}

/** The name that an assignment gives a value. */
function targetOf(node: AstNode): string | undefined {
  const target =
    node._ === 'Assign' ? nodesOf(node.targets)[0] : node._ === 'AnnAssign' ? node.target : undefined;
  return isNode(target) && target._ === 'Name' && isNode(node.value) ? String(target.id) : undefined;
}

function kindOf(node: AstNode): PythonReasoning[number]['kind'] {
  if (node._ === 'Import' || node._ === 'ImportFrom') return 'import';
  if (node._ === 'FunctionDef') return 'def';
  if (node._ === 'Assign' || (node._ === 'AnnAssign' && isNode(node.value))) return 'assign';
  if (node._ === 'Return') return 'return';
  if (node._ === 'Expr') return isPrint(node.value as AstNode) ? 'print' : 'expression';
  return 'other';
}

const isPrint = (node: AstNode): boolean =>
  node._ === 'Call' && isNode(node.func) && node.func._ === 'Name' && node.func.id === 'print';

/** What a statement shows: the last argument of a print, an expression, what is returned. */
function valueNode(node: AstNode): AstNode | undefined {
  if ((node._ !== 'Expr' && node._ !== 'Return') || !isNode(node.value)) return undefined;
  return isPrint(node.value) ? nodesOf(node.value.args).at(-1) : node.value;
}
