import { numberOf } from '../analysis/literals.ts';
import type { PythonReasoning } from '../builtin/python-reasoning.ts';
import { parseTools, unparse } from '../python/analyser.ts';
import { isNode, type AstNode } from '../python/ast.ts';
import { nodesOf } from '../analysis/literals.ts';

/** Reasoning that is Python, read for the builtin extraction: what `analysis.python` holds. */

const FENCED = /```[ \t]*(?:python|py)[ \t]*\n([\s\S]*?)```/i;

/** The Python of a reasoning text: a fenced block, or all of it where it could be code; else undefined. */
const pythonIn = (reasoning: string): string | undefined => {
  const fenced = FENCED.exec(reasoning)?.[1];
  if (fenced !== undefined) return fenced;
  return !reasoning.includes('<<') && /^\s*[A-Za-z_]\w*\s*=[^=]/m.test(reasoning) ? reasoning : undefined;
};

/** The statements of each reasoning text that is Python; undefined for the others. */
export async function readReasonings(texts: readonly string[]): Promise<(PythonReasoning | undefined)[]> {
  const codes = texts.map(pythonIn);
  const parsed = await parseTools(codes.map((code) => code ?? ''));
  const out: (PythonReasoning | undefined)[] = [];
  for (const [n, result] of parsed.entries()) {
    const code = codes[n];
    if (code === undefined || !result.ok || result.ast.body.length === 0) out.push(undefined);
    else out.push(await statementsOf(result.ast.body));
  }
  return out;
}

async function statementsOf(body: readonly AstNode[]): Promise<PythonReasoning> {
  const values = body.map(valueNode);
  const texts = await unparse([...body, ...values.filter((node) => node !== undefined)]);
  let next = body.length;
  return body.map((node, n) => {
    const value = values[n] === undefined ? undefined : texts[next++]!;
    const target = node._ === 'Assign' ? nodesOf(node.targets)[0] : undefined;
    const number = node._ === 'Assign' && isNode(node.value) ? numberOf(node.value) : undefined;
    const name = target?._ === 'Name' ? String(target.id) : undefined;
    return {
      text: texts[n]!,
      kind: kindOf(node),
      ...(name === undefined ? {} : { target: name }),
      ...(number === undefined ? {} : { number }),
      ...(value === undefined ? {} : { value }),
    };
  });
}

function kindOf(node: AstNode): PythonReasoning[number]['kind'] {
  if (node._ === 'Import' || node._ === 'ImportFrom') return 'import';
  if (node._ === 'FunctionDef') return 'def';
  if (node._ === 'Assign') return 'assign';
  if (node._ === 'Expr') return isPrint(node.value as AstNode) ? 'print' : 'expression';
  return 'other';
}

const isPrint = (node: AstNode): boolean =>
  node._ === 'Call' && isNode(node.func) && node.func._ === 'Name' && node.func.id === 'print';

/** What a statement shows: the last argument of a print, an expression. */
function valueNode(node: AstNode): AstNode | undefined {
  if (node._ !== 'Expr' || !isNode(node.value)) return undefined;
  return isPrint(node.value) ? nodesOf(node.value.args).at(-1) : node.value;
}
