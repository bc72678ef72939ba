import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberNode } from '#functions/tool-library/analysis/literals.ts';
import type { AstNode } from '#functions/tool-library/python/ast.ts';
import type { SourceTool } from '#functions/tool-library/refactor/forms.ts';
import { mappedCall, refactor } from '#functions/tool-library/refactor/refactor.ts';
import { evaluateCall } from './evaluate.ts';
import { assign, id, op, returns, toolOf } from './trees.ts';

type Tree = { kind: 'leaf'; hole: number } | { kind: 'op'; op: string; left: Tree; right: Tree };

const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree; leaf: Tree; op: Tree }>((tie) => ({
  tree: fc.oneof({ maxDepth: 3, depthIdentifier: 'tree' }, tie('leaf'), tie('op'), tie('op')),
  leaf: fc.nat(5).map((hole) => ({ kind: 'leaf', hole })),
  op: fc.record({
    kind: fc.constant('op' as const),
    op: fc.constantFrom('Add', 'Sub', 'Mult', 'Div'),
    left: tie('tree'),
    right: tie('tree'),
  }),
})).op;

const NAMES = ['apples', 'price', 'boxes', 'cost', 'hours', 'rent', 'fee', 'pay'];

/** One way to write a tree: which leaves are parameters, which operands are swapped, which results get a name. */
const variant = fc.record({
  leaves: fc.array(
    fc.record({ name: fc.nat(7), literal: fc.boolean(), value: fc.integer({ min: -9, max: 99 }) }),
    {
      minLength: 6,
      maxLength: 6,
    },
  ),
  swaps: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  named: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  wrap: fc.option(
    fc.record({ op: fc.constantFrom('Add', 'Sub', 'Mult'), value: fc.integer({ min: 1, max: 9 }) }),
  ),
  name: fc.constantFrom('apple_cost', 'box_cost', 'pay_total', 'rent_share'),
});
type Variant = typeof variant extends fc.Arbitrary<infer V> ? V : never;

function written(shape: Tree, how: Variant, index: number): SourceTool {
  const values = new Map<string, number>();
  const body: AstNode[] = [];
  let n = 0;
  const visit = (node: Tree): AstNode => {
    if (node.kind === 'leaf') {
      const leaf = how.leaves[node.hole]!;
      if (leaf.literal) return numberNode(leaf.value);
      const name = NAMES[leaf.name]!;
      if (!values.has(name)) values.set(name, leaf.value);
      return id(name);
    }
    const mine = n++ % 8;
    const [left, right] = [visit(node.left), visit(node.right)];
    const commutes = node.op === 'Add' || node.op === 'Mult';
    const made = commutes && how.swaps[mine] ? op(right, node.op, left) : op(left, node.op, right);
    if (!how.named[mine]) return made;
    body.push(assign(`step_${body.length}`, made));
    return id(`step_${body.length - 1}`);
  };
  const inner = visit(shape);
  const value = how.wrap ? op(inner, how.wrap.op, numberNode(how.wrap.value)) : inner;
  const toolId = `t_${String(index).padStart(2, '0')}`;
  return toolOf(how.name, [...values.keys()], [...body, returns(value)], [...values.values()], toolId);
}

const same = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));

describe('merged functions', () => {
  it('give on mapped calls what their sources give, exactly', () => {
    let merged = 0;
    fc.assert(
      fc.property(
        tree,
        fc.array(variant, { minLength: 2, maxLength: 6 }),
        fc.boolean(),
        (shape, variants, widen) => {
          const tools = variants.map((how, index) => written(shape, how, index));
          const { functions, module, alone } = refactor(tools, { widen, helpers: true });
          const covered = functions.flatMap(({ toolIds }) => toolIds);
          expect([...covered, ...alone.keys()].sort()).toEqual(tools.map(({ id: toolId }) => toolId).sort());
          for (const { code, toolIds, adapters } of functions) {
            for (const toolId of toolIds) {
              const tool = tools.find((each) => each.id === toolId)!;
              const { expression } = tool.cases[0]!.shape;
              const call = mappedCall(tool, expression, adapters.get(toolId)!)!;
              const before = evaluateCall([tool.ast], expression);
              const after = evaluateCall([code, ...(module ? [module] : [])], call);
              expect(same(before, after), `${before} became ${after}`).toBe(true);
              merged++;
            }
          }
        },
      ),
      { numRuns: 150, seed: 7 },
    );
    expect(merged).toBeGreaterThan(150);
  });

  it('do not depend on the order of the tools', () => {
    fc.assert(
      fc.property(tree, fc.array(variant, { minLength: 2, maxLength: 5 }), (shape, variants) => {
        const tools = variants.map((how, index) => written(shape, how, index));
        const names = (list: SourceTool[]) => {
          const { functions, module } = refactor(list, { widen: true, helpers: true });
          return JSON.stringify([functions.map(({ code, toolIds }) => [code, toolIds]), module]);
        };
        expect(names([...tools].reverse())).toBe(names(tools));
      }),
      { numRuns: 40, seed: 8 },
    );
  });
});
