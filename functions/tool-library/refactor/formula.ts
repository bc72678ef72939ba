import { isNode, type AstNode } from '../python/ast.ts';
import { numberOf } from '../analysis/literals.ts';
import type { Generalisation } from './generalise.ts';
import { fill } from './skeleton.ts';

/** A merged function's arithmetic as its readers see it: what a description says beside the subjects. */

/** As sums are written, so that no reader takes the text for the code. */
const SIGNS: Record<string, { text: string; rank: number }> = {
  Add: { text: '+', rank: 1 },
  Sub: { text: '−', rank: 1 },
  Mult: { text: '×', rank: 2 },
  Div: { text: '÷', rank: 2 },
  Pow: { text: '^', rank: 4 },
};
/** Longer formulas are read in the code. */
const MAX_FORMULA = 120;

/** The formula of a function that is one arithmetic expression of its parameters; undefined for any other. */
export function formulaOf(merged: Generalisation, parameters: readonly string[]): string | undefined {
  const [first] = merged.skeletons;
  const names = new Map(
    merged.variables.flatMap(({ holes }, index) => holes.map((hole) => [hole, parameters[index]!] as const)),
  );
  const filled = fill(
    first!,
    (hole) => {
      const id = names.get(hole);
      return id === undefined ? merged.constants.get(hole)! : { _: 'Name', id };
    },
    first!.locals,
  );
  const [only, more] = filled;
  if (more || only?._ !== 'Return' || !isNode(only.value)) return undefined;
  const text = textOf(only.value, 0);
  return text !== undefined && text.length <= MAX_FORMULA ? text : undefined;
}

/** @param rank of the operator around it: what binds less gets brackets. */
function textOf(node: AstNode, rank: number): string | undefined {
  if (node._ === 'Name') return String(node.id).replaceAll('_', ' ');
  const number = numberOf(node);
  if (number !== undefined) return number < 0 && rank > 1 ? `(${number})` : String(number);
  if (node._ !== 'BinOp' || !isNode(node.op) || !isNode(node.left) || !isNode(node.right)) return undefined;
  const sign = SIGNS[node.op._];
  if (!sign) return undefined;
  const left = textOf(node.left, node.op._ === 'Pow' ? sign.rank + 1 : sign.rank);
  const right = textOf(node.right, sign.rank + 1);
  if (left === undefined || right === undefined) return undefined;
  const text = `${left} ${sign.text} ${right}`;
  return sign.rank < rank ? `(${text})` : text;
}
