import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placeTools } from '#functions/tool-library/clustering/assign.ts';
import { balanceClusters, type PlacedTool } from '#functions/tool-library/clustering/balance.ts';
import {
  applyTree,
  emptyTree,
  ROOT,
  UNASSIGNED,
  type TreeOperation,
} from '#functions/tool-library/clustering/tree.ts';
import { toolsAt } from '#functions/tool-library/indices.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { unitVector } from '#shared/text/vectors.ts';

const add = (id: string, parent: string, level: number): TreeOperation => ({
  type: 'ADD_NODE',
  id,
  parent,
  level,
  description: `About ${id}.`,
});
const { tree } = applyTree(
  emptyTree(4, 'model'),
  [...['a', 'b', 'c', 'd', 'e'].map((id) => add(id, ROOT, 2)), add('deep', 'e', 3), add('other', 'e', 3)],
  new Set(),
);

const rng = seededRng('balance');
const placed = (leafId: string, count: number, axis = 0): PlacedTool[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `${leafId}-${String(index).padStart(4, '0')}`,
    leafId,
    vector: unitVector([0, 1, 2].map((each) => (each === axis ? 2 : rng.next())))!,
  }));
const sizes = (clusters: { clusterId: string; toolIds: string[] }[]): Record<string, number> =>
  Object.fromEntries(clusters.map(({ clusterId, toolIds }) => [clusterId, toolIds.length]));

describe('balancing', () => {
  test('[tool-library 14] clusters of 7, 50, 300, 301, 1,000: nothing lost; 301 is 151 + 150, 1,000 is 4 x 250', () => {
    const tools = [
      ...placed('a', 7),
      ...placed('b', 50),
      ...placed('c', 300),
      ...placed('d', 301),
      ...placed('deep', 1000),
    ];
    const clusters = balanceClusters(tree, tools, { min: 2, max: 300 });
    expect(sizes(clusters)).toEqual({
      a: 7,
      b: 50,
      c: 300,
      'd.1': 151,
      'd.2': 150,
      'deep.1': 250,
      'deep.2': 250,
      'deep.3': 250,
      'deep.4': 250,
    });
    expect(clusters.flatMap(({ toolIds }) => toolIds).toSorted()).toEqual(
      tools.map(({ id }) => id).toSorted(),
    );
    expect(clusters.find(({ clusterId }) => clusterId === 'deep.2')).toMatchObject({
      path: ['e', 'deep'],
      description: 'About deep.',
    });
  });

  test('a small leaf joins the nearest beside it', () => {
    const tools = [...placed('a', 1, 1), ...placed('b', 5, 0), ...placed('c', 5, 1), ...placed('deep', 1, 1)];
    expect(sizes(balanceClusters(tree, tools, { min: 2, max: 300 }))).toEqual({ b: 5, c: 6, deep: 1 });
  });

  test('it stands where no sibling has room, or there is none', () => {
    const tools = [...placed('a', 1), ...placed('b', 5), ...placed('deep', 1), ...placed(UNASSIGNED, 1)];
    const clusters = balanceClusters(tree, tools, { min: 2, max: 5 });
    expect(sizes(clusters)).toEqual({ a: 1, b: 5, deep: 1, [UNASSIGNED]: 1 });
    expect(clusters.at(-1)).toMatchObject({ clusterId: UNASSIGNED, path: [UNASSIGNED] });
  });

  test('is a partition within the cap, whatever the leaves', () => {
    const leaf = fc.constantFrom('a', 'b', 'c', 'deep', 'other', UNASSIGNED);
    fc.assert(
      fc.property(
        fc.array(leaf, { maxLength: 80 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 10 }),
        (leaves, min, more) => {
          const tools = leaves.map((leafId, index) => ({ ...placed(leafId, 1)[0]!, id: `t${index}` }));
          const clusters = balanceClusters(tree, tools, { min, max: min + more });
          expect(clusters.flatMap(({ toolIds }) => toolIds).toSorted()).toEqual(
            tools.map(({ id }) => id).toSorted(),
          );
          for (const { toolIds } of clusters) expect(toolIds.length).toBeLessThanOrEqual(min + more);
          expect(new Set(clusters.map(({ clusterId }) => clusterId)).size).toBe(clusters.length);
          expect(balanceClusters(tree, tools.toReversed(), { min, max: min + more })).toEqual(clusters);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('placing tools by number', () => {
  const ids = ['t1', 't2', 't3', 't4', 't5'];
  const leaves = new Set(['x', 'y']);

  test('only one mention with an existing leaf places a tool', () => {
    const outcome = placeTools(ids, leaves, [
      { index: 1, leafId: 'x' },
      { index: 2, leafId: 'money' },
      { index: 3, leafId: 'x' },
      { index: 3, leafId: 'y' },
      { index: 9, leafId: 'x' },
      { index: 5, leafId: 'y' },
    ]);
    expect(outcome).toEqual({
      placed: [
        ['t1', 'x'],
        ['t5', 'y'],
      ],
      open: ['t2', 't3', 't4'],
      problems: [
        'There is no tool 9.',
        'Tool 3 has more than one leaf.',
        'Tool 2: "money" is no leaf of the tree.',
        'Tool 4 has no leaf.',
      ],
    });
  });

  test('placed and open are the input, whatever is answered', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ index: fc.oneof(fc.integer({ min: -1, max: 7 }), fc.double()), leafId: fc.string() }),
        ),
        (assignments) => {
          const { placed: done, open } = placeTools(ids, leaves, assignments);
          expect([...done.map(([id]) => id), ...open].toSorted()).toEqual(ids);
        },
      ),
    );
  });

  test('numbers are turned into ids in one place', () => {
    expect(toolsAt([2, 1, 2, 0, 6, 1.5, 5], ids)).toEqual({
      ids: ['t2', 't1', 't5'],
      unknown: [0, 6, 1.5],
      repeated: [2],
    });
  });
});
