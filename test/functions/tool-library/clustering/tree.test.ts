import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { partitionTools } from '#functions/tool-library/clustering/partition.ts';
import { cutsOf } from '#functions/tool-library/clustering/thresholds.ts';
import {
  applyTree,
  emptyTree,
  leavesOf,
  pathOf,
  ROOT,
  treeRejects,
  type TreeOperation,
} from '#functions/tool-library/clustering/tree.ts';
import { seedClusters, seedGroups } from '#functions/tool-library/builtin/seed-clusters.ts';
import { updateClusters } from '#functions/tool-library/builtin/update-clusters.ts';
import { type SeedClustersInput, seedClustersRole } from '#functions/tool-library/roles/seed-clusters.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { averageLinkage } from '#shared/text/clustering.ts';
import { unitVector } from '#shared/text/vectors.ts';

const add = (id: string, parent: string, level: number): TreeOperation => ({
  type: 'ADD_NODE',
  id,
  parent,
  level,
  description: `About ${id}.`,
});
const NONE = new Set<string>();
const base = applyTree(
  emptyTree(4, 'model'),
  [add('money', ROOT, 2), add('profit', 'money', 3), add('motion', ROOT, 2)],
  NONE,
).tree;

describe('tree operations', () => {
  test('[tool-library 12] unknown parent, duplicate id, wrong level and cycle are four rejects, the rest is applied', () => {
    const operations: TreeOperation[] = [
      add('interest', 'money', 3),
      add('orphan', 'nowhere', 3),
      add('profit', 'money', 3),
      add('speed', 'motion', 4),
      { type: 'MODIFY_NODE', id: 'money', parent: 'profit' },
      add('simple-interest', 'interest', 4),
      { type: 'MODIFY_NODE', id: 'motion', description: 'Speed, distance and time.' },
    ];
    const { tree, refused } = applyTree(base, operations, NONE);
    expect(refused.map(({ operation, reason }) => [operation.id, reason])).toEqual([
      ['profit', 'duplicate id "profit"'],
      ['orphan', 'unknown parent "nowhere"'],
      ['speed', 'wrong level 4: a child of "motion" is at level 3'],
      ['money', 'a cycle: "money" would stand below itself'],
    ]);
    const rejects = treeRejects(refused, 'update-clusters', 1, 'the/answers.jsonl');
    expect(rejects.map(({ code }) => code)).toEqual(Array(4).fill('TREE_OP_INVALID'));
    expect(rejects[0]!.evidence).toBe('the/answers.jsonl');
    expect(tree.nodes.map(({ id, level }) => `${id} ${level}`)).toEqual([
      'root 1',
      'money 2',
      'motion 2',
      'interest 3',
      'profit 3',
      'simple-interest 4',
    ]);
    expect(tree.nodes.find(({ id }) => id === 'motion')!.description).toBe('Speed, distance and time.');
    expect(pathOf(tree, 'simple-interest')).toEqual(['money', 'interest', 'simple interest']);
  });

  test('[tool-library 12] each tool is shown once: seed and batches partition the tools', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer(),
        (n, seedSize, batch, seed) => {
          const tools = Array.from({ length: n }, (_, index) => ({ id: `t_${index}` }));
          const partition = partitionTools(tools, { seed: seedSize, batch }, seed);
          const shown = [partition.seed, ...partition.batches].flat().map(({ id }) => id);
          expect(shown.toSorted()).toEqual(tools.map(({ id }) => id).toSorted());
          expect(partition.seed).toHaveLength(Math.min(n, seedSize));
          for (const each of partition.batches) expect(each.length).toBeLessThanOrEqual(batch);
          expect(partitionTools(tools.toReversed(), { seed: seedSize, batch }, seed)).toEqual(partition);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('added nodes that stand below each other, below themselves, too deep, or under a bad name are refused', () => {
    const { refused, tree } = applyTree(
      base,
      [
        add('a', 'b', 3),
        add('b', 'a', 3),
        add('self', 'self', 2),
        add('deep', 'deeper', 5),
        add('deeper', 'profit', 4),
        add('muffin-profit', 'money', 3),
        add('Bad Id', 'money', 3),
        add('unassigned', 'money', 3),
        { type: 'MODIFY_NODE', id: 'missing', description: 'x' },
        { type: 'MODIFY_NODE', id: 'profit', parent: ROOT },
      ],
      new Set(['muffin_profit']),
    );
    expect(refused.map(({ operation, reason }) => `${operation.id}: ${reason}`)).toEqual([
      'muffin-profit: "muffin-profit" is the name of a tool, not of a topic',
      'Bad Id: "Bad Id" is no id of a node: lower-case words joined by hyphens',
      'unassigned: "unassigned" is no id of a node: lower-case words joined by hyphens',
      'b: a cycle: "b" stands below itself',
      'a: its parent "b" was refused',
      'self: a cycle: "self" stands below itself',
      'deep: too deep: the tree has 4 levels',
      'missing: there is no node "missing" to modify',
      'profit: wrong level: "profit" is at level 3, a child of "root" at 2',
    ]);
    expect(tree.nodes.map(({ id }) => id)).toContain('deeper');
  });

  test('any operations leave a tree: one root, parents before children, levels in steps, depth kept', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'root', 'nowhere', 'B_A D', '__proto__');
    const operation: fc.Arbitrary<TreeOperation> = fc.oneof(
      fc.record({
        type: fc.constant('ADD_NODE' as const),
        id,
        parent: fc.option(id),
        level: fc.integer({ min: -1, max: 6 }),
        description: fc.string(),
      }),
      fc.record(
        { type: fc.constant('MODIFY_NODE' as const), id, parent: id, description: fc.string() },
        { requiredKeys: ['type', 'id'] },
      ),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
        const before = structuredClone(base);
        const { tree } = applyTree(base, operations, NONE);
        expect(base).toEqual(before);
        const seen = new Map<string, number>();
        for (const node of tree.nodes) {
          expect(seen.has(node.id)).toBe(false);
          if (node.parent === null) expect(node.id).toBe(ROOT);
          else expect(node.level).toBe(seen.get(node.parent)! + 1);
          expect(node.level).toBeLessThanOrEqual(4);
          seen.set(node.id, node.level);
        }
        for (const node of tree.nodes)
          expect(node.children).toEqual(
            tree.nodes
              .filter(({ parent }) => parent === node.id)
              .map((child) => child.id)
              .sort(),
          );
        expect(tree.nodes.length).toBeGreaterThanOrEqual(base.nodes.length);
      }),
    );
  });
});

describe('the builtin tree', () => {
  test('cuts at 0.8, 0.6 and 0.45 for depth 4; other depths interpolate', () => {
    expect(cutsOf(4)).toEqual([0.8, 0.6, 0.45]);
    expect(cutsOf(3)).toEqual([0.8, 0.45]);
    expect(cutsOf(2)).toEqual([0.45]);
    cutsOf(5).forEach((cut, index) => expect(cut).toBeCloseTo([0.8, 2 / 3, 0.55, 0.45][index]!, 9));
  });

  const tool = (name: string, description: string) => ({ name, description, tags: [] as string[] });
  const near = (...axes: number[]): Float32Array =>
    unitVector([0, 1, 2, 3, 4].map((axis) => axes.filter((each) => each === axis).length))!;
  const tools = [
    tool('muffin_profit', 'Profit of a muffin stall.'),
    tool('rose_profit', 'Profit of selling roses.'),
    tool('loan_interest', 'Interest of a loan.'),
    tool('train_distance', 'Distance of a train from speed and hours.'),
    tool('bus_distance', 'Distance of a bus from speed and hours.'),
  ];
  const vectors = [near(0, 0, 0, 1), near(0, 0, 0, 1, 1), near(1, 1, 0, 0), near(3, 3, 4), near(3, 3, 3, 4)];
  const input: SeedClustersInput = {
    depth: 4,
    tools,
    analysis: {
      merges: averageLinkage(vectors).map(({ a, b, height }): [number, number, number] => [a, b, height]),
    },
  };

  test('names nodes by what sets them apart from their siblings, and is valid', () => {
    const { clusters } = seedClusters(input);
    const { tree, refused } = applyTree(
      emptyTree(4, 'builtin'),
      clusters.map(({ id, parent, level, description }) => ({
        type: 'ADD_NODE',
        id,
        parent,
        level,
        description,
      })),
      new Set(tools.map(({ name }) => name)),
    );
    expect(refused).toEqual([]);
    const groups = seedGroups(input);
    expect(leavesOf(tree).map(({ id }) => groups.find((group) => group.id === id)!.members)).toEqual([
      [3, 4],
      [0, 1, 2],
    ]);
    expect(leavesOf(tree).map(({ id }) => id)).toEqual(['distance-hours-speed', 'profit-interest-loan']);
    expect(seedClustersRole.output.safeParse({ clusters }).success).toBe(true);
  });

  test("never takes a tool's name or an id twice, for any tools", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('sum', 'sum_total', 'total', 'x1', '_', 'sum_of_sum'), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.integer(),
        (names, seed) => {
          const rng = seededRng(seed);
          const random = names.map(
            () => unitVector(Float32Array.from({ length: 4 }, () => rng.next() - 0.5)) ?? near(0),
          );
          const some: SeedClustersInput = {
            depth: 4,
            tools: names.map((name) => tool(name, 'sum total')),
            analysis: {
              merges: averageLinkage(random).map(({ a, b, height }): [number, number, number] => [
                a,
                b,
                height,
              ]),
            },
          };
          const groups = seedGroups(some);
          const { refused } = applyTree(
            emptyTree(4, 'builtin'),
            groups.map(({ id, parent, level, description }) => ({
              type: 'ADD_NODE',
              id,
              parent,
              level,
              description,
            })),
            new Set(names),
          );
          expect(refused).toEqual([]);
          const leaves = groups.filter(({ id }) => !groups.some(({ parent }) => parent === id));
          expect(leaves.flatMap(({ members }) => members).toSorted((a, b) => a - b)).toEqual(
            names.map((_, index) => index),
          );
        },
      ),
    );
  });

  test('adds leaves for groups that fit none, below the topic they are part of', () => {
    const { operations } = updateClusters({
      depth: 4,
      tree: base.nodes.map(({ id, parent, level, description }) => ({ id, parent, level, description })),
      tools,
      analysis: {
        groups: [
          { parent: 'money', tools: [3] },
          { parent: ROOT, tools: [4, 5] },
        ],
      },
    });
    expect(operations).toMatchObject([
      { type: 'ADD_NODE', id: 'interest-loan', parent: 'money', level: 3 },
      { type: 'ADD_NODE', id: 'distance-hours-speed', parent: ROOT, level: 2 },
    ]);
    expect(applyTree(base, operations, NONE).refused).toEqual([]);
  });
});
