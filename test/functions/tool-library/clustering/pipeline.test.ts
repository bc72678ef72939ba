import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AssignClustersInput } from '#functions/tool-library/roles/assign-clusters.ts';
import { assignClustersRole } from '#functions/tool-library/roles/assign-clusters.ts';
import { topicTool } from '#functions/tool-library/roles/topics.ts';
import { seedClustersRole } from '#functions/tool-library/roles/seed-clusters.ts';
import { updateClustersRole } from '#functions/tool-library/roles/update-clusters.ts';
import { writeCards, type CardPart } from '#functions/tool-library/clustering/cards.ts';
import { withinBytes } from '#functions/tool-library/clustering/seed.ts';
import type { TopicTree } from '#functions/tool-library/clustering/tree.ts';
import { ToolLibraryInputSchema } from '#functions/tool-library/input.ts';
import { keys, partName } from '#functions/tool-library/keys.ts';
import { ClusterSchema, RejectSchema, type Cluster, type Reject } from '#functions/tool-library/records.ts';
import { handler as apply } from '#functions/tool-library/tasks/apply-clusters.ts';
import { handler as balance } from '#functions/tool-library/tasks/balance-clusters.ts';
import { handler as embed } from '#functions/tool-library/tasks/embed-tools.ts';
import { handler as plan } from '#functions/tool-library/tasks/plan-clusters.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import type { Tool } from '#shared/library/types.ts';
import { MAX_REQUEST_LINE_BYTES } from '#shared/models/request-schema.ts';
import { requestFor, type Role } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { readJson, readJsonl, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { newJob } from '#test/support/jobs.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const JOB = `tool-library.${'a'.repeat(26)}`;
const ROLES = new Map<string, Role>(
  [seedClustersRole, updateClustersRole, assignClustersRole].map((role) => [
    role.name,
    role as unknown as Role,
  ]),
);

const TOPICS = [
  'profit of a stall',
  'distance of a train',
  'interest on a loan',
  'age of a child',
  'area of a garden',
];
const tools: Tool[] = TOPICS.flatMap((topic, group) =>
  ['daily', 'weekly', 'total', 'average', 'first', 'second'].map((word, index): Tool => {
    const name = `${word}_${topic.replaceAll(' ', '_')}`;
    return {
      id: `t_${group}${index}`,
      name,
      aliases: [],
      kind: 'compute',
      description: `Computes the ${word} ${topic}.`,
      schema: { type: 'object', properties: {} },
      code: `def ${name}(): return 1`,
      entry: name,
      caseIds: [],
      tags: [],
      validated: 'executed',
      evidence: { runs: 0, called: 0, mattered: 0, rightWithoutCall: 0 },
      lineage: { questions: [], rounds: 1, models: [], roles: {}, parents: [], codeHash: '' },
    };
  }),
);

/** What a scripted model says to a request; undefined: the builtin answers. */
type Script = (request: InferRequest) => unknown;

describe('from tools to clusters', () => {
  let world: TestRuntime;
  beforeEach(async () => {
    world = await embeddedRuntime();
    await jobStore(world.runtime).create(newJob(JOB));
  });
  afterEach(() => world.close());

  const run = <T>(handler: (event: unknown) => Promise<T>, event: unknown): Promise<T> =>
    withRuntime(world.runtime, () => handler(event));
  const all = async <T>(key: string): Promise<T[]> => {
    const rows: T[] = [];
    for await (const { value } of readJsonl(world.runtime.artifacts, key)) rows.push(value as T);
    return rows;
  };

  /** Plays functions/inference. */
  async function answers(requests: ArtifactRef, script: Script): Promise<ArtifactRef> {
    const results: InferResult[] = [];
    for await (const { value } of readJsonl(world.runtime.artifacts, requests)) {
      const request = value as InferRequest;
      const said = script(request);
      const role = ROLES.get(request.role.name)!;
      const input = role.input.parse(request.input);
      const output = said === undefined ? await role.builtin!(input, seededRng(1)) : said;
      const failed = output === null;
      results.push({
        id: request.id,
        status: failed ? 'rejected' : 'ok',
        finish: 'stop',
        text: JSON.stringify(output),
        ...(failed
          ? { error: { code: 'PARSE_ERROR', message: 'The reply is not JSON.', retryable: false } }
          : { output }),
        repairs: [],
        role: request.role,
        model: request.model,
        provider: said === undefined ? 'builtin' : 'replay',
        tokens: { input: 0, output: 0 },
        cacheKey: request.id,
      });
    }
    return writeJsonl(world.runtime.artifacts, `${requests.key}.results`, results);
  }

  /** What the machine does from EmbedTools to BalanceClusters. */
  async function cluster(options: { seed?: number; batch?: number; script?: Script } = {}) {
    const { artifacts } = world.runtime;
    const { seed = 10, batch = 8, script = () => undefined } = options;
    const input = ToolLibraryInputSchema.parse({
      source: 'x.jsonl',
      libraryId: 'clusters',
      tree: { seed, batch },
    });
    const models = Object.fromEntries([...ROLES.keys()].map((name) => [name.split('/')[1], 'builtin']));
    const config = await writeJson(artifacts, keys.config(JOB), {
      jobId: JOB,
      input,
      models,
      configHash: 'x',
    });
    const job = { jobId: JOB, config };
    const { index } = await writeCards(artifacts, JOB, tools);
    const items = await all<CardPart>(index.key);
    await run(embed, { ...job, items });

    const rounds: string[] = [];
    const round = async (event: Record<string, unknown>) => {
      const planned = await run(plan, { ...job, ...event });
      rounds.push(`${event.stage as string} ${planned.count}`);
      const results = await answers(planned.requests, script);
      return run(apply, { ...job, ...event, requests: planned.requests, results });
    };
    let seeded;
    for (let attempt = 1; ; attempt = seeded.try) {
      seeded = (await round({ stage: 'seed-clusters', try: attempt })) as {
        more: boolean;
        try: number;
        segments: number;
        updates: number;
        origin: string;
      };
      if (!seeded.more) break;
    }
    for (let segment = 0; segment < seeded.segments; segment++) {
      const [row] = await all<{ update: number; until: number }>(keys.tree(JOB, `segments/${segment}.jsonl`));
      for (let next = { ...row!, try: 1, more: true }; next.more;) {
        const { update, try: attempt } = next;
        const done = await round({ stage: 'update-clusters', update, until: row!.until, try: attempt });
        next = { ...row!, ...(done as { more: boolean; update: number; try: number }) };
      }
    }
    for (let attempt = 1; ; attempt++) {
      const done = await round({ stage: 'assign-clusters', version: seeded.updates, items, try: attempt });
      if (!done.more) break;
    }
    const balanced = await run(balance, { ...job, version: seeded.updates });
    const clusters = await all<Cluster>(keys.clusters(JOB));
    for (const row of clusters) ClusterSchema.parse(row);
    return { seeded, balanced, clusters, rounds };
  }
  const treeOf = (version: number): Promise<TopicTree> =>
    readJson(world.runtime.artifacts, keys.tree(JOB, `${partName(version)}.json`)) as Promise<TopicTree>;

  test('builtin: seed, updates and assignment give every tool one cluster, of its topic, the same every time', async () => {
    const { seeded, clusters, rounds, balanced } = await cluster();
    expect(seeded).toMatchObject({ origin: 'builtin', updates: 3, segments: 1 });
    expect(rounds).toEqual([
      'seed-clusters 1',
      'update-clusters 1',
      'update-clusters 1',
      'update-clusters 1',
      'assign-clusters 2',
    ]);
    expect(clusters.flatMap(({ toolIds }) => toolIds).toSorted()).toEqual(
      tools.map(({ id }) => id).toSorted(),
    );
    expect(balanced).toMatchObject({ tools: 30, unassigned: 0, clusters: clusters.length });
    // Ids begin with the number of the topic.
    const mixed = clusters.filter(({ toolIds }) => new Set(toolIds.map((id) => id[2])).size > 1);
    expect(mixed).toEqual([]);
    const before = clusters;
    await world.close();
    world = await embeddedRuntime();
    await jobStore(world.runtime).create(newJob(JOB));
    expect((await cluster()).clusters).toEqual(before);
  });

  test('a seed is cut to what one request takes', () => {
    const [tool] = tools;
    const seed = Array.from({ length: 5000 }, (_, n) => ({
      card: {
        id: `t_${n}`,
        name: `tool_${n}`,
        description: 'A very long docstring. '.repeat(100),
        tags: ['a', 'b'],
      },
      vector: new Float32Array(1),
    }));
    const within = withinBytes(seed);
    expect(within.length).toBeGreaterThan(500);
    const shown = within.map(({ card }) => topicTool(card));
    const request = requestFor(
      seedClustersRole,
      {
        depth: 4,
        tools: shown,
        analysis: { merges: shown.map((_, n): [number, number, number] => [n, n + 10_000, 0.123456]) },
      },
      { id: 'seed-1', model: 'builtin' },
    );
    expect(Buffer.byteLength(JSON.stringify(request))).toBeLessThan(MAX_REQUEST_LINE_BYTES);
    expect(withinBytes([{ card: tool!, vector: new Float32Array(1) }])).toHaveLength(1);
  });

  test('a tree that is there is not made again: a second run of the same update changes nothing', async () => {
    await cluster();
    const before = await treeOf(2);
    const config = (await world.runtime.artifacts.head(keys.config(JOB)))!;
    const ref = { key: config.key, sha256: config.sha256!, bytes: config.bytes };
    const event = { jobId: JOB, config: ref, stage: 'update-clusters', update: 2, until: 3, try: 1 };
    const planned = await run(plan, event);
    expect(planned.count).toBe(0);
    const results = await answers(planned.requests, () => undefined);
    expect(await run(apply, { ...event, requests: planned.requests, results })).toEqual({
      more: true,
      update: 3,
      try: 1,
      refused: 0,
    });
    expect(await treeOf(2)).toEqual(before);
  });

  test('a seed bad three times gives way to the builtin tree, labelled, and the model hears why', async () => {
    const heard: (string[] | undefined)[] = [];
    const bad = { clusters: [{ id: 'Lost', level: 2, parent: 'nowhere', children: [], description: '' }] };
    const { seeded } = await cluster({
      script: (request) => {
        if (!request.role.name.endsWith('seed-clusters')) return undefined;
        heard.push((request.input as { feedback?: string[] }).feedback);
        return heard.length === 2 ? null : bad;
      },
    });
    expect(seeded).toMatchObject({ origin: 'fallback', try: 3 });
    expect((await treeOf(0)).origin).toBe('fallback');
    expect(heard[0]).toBeUndefined();
    expect(heard[1]![0]).toMatch(/^Lost: "Lost" is no id of a node/);
    expect(heard[2]![0]).toContain('The reply is not JSON.');
    const rejects = await all<Reject>(keys.rejects(JOB, 'seed-clusters', 1));
    expect(rejects.map((reject) => RejectSchema.parse(reject).code)).toEqual(['TREE_OP_INVALID']);
  });

  test("a model's tree and its updates are used; nodes stand for what they say of themselves", async () => {
    const node = (id: string, description: string) => ({
      id,
      level: 2,
      parent: 'root',
      children: [],
      description,
    });
    const { seeded, clusters } = await cluster({
      script: ({ role }) => {
        if (role.name.endsWith('seed-clusters'))
          return {
            clusters: [
              node('money', 'Profit of a stall and interest on a loan.'),
              node('motion', 'Distance of a train.'),
            ],
          };
        if (role.name.endsWith('update-clusters'))
          return {
            operations: [
              { type: 'ADD_NODE', ...node('people', 'Age of a child in a family.') },
              { type: 'MODIFY_NODE', id: 'motion', description: 'Distance of a train and area of a garden.' },
            ],
          };
        return undefined;
      },
    });
    expect(seeded.origin).toBe('model');
    // The second and third updates name an id that is taken by then.
    expect((await all<Reject>(keys.rejects(JOB, 'update-clusters', 2))).map(({ itemId }) => itemId)).toEqual([
      'people',
    ]);
    expect(clusters.map(({ clusterId }) => clusterId)).toEqual(['money', 'motion', 'people']);
    const people = clusters.find(({ clusterId }) => clusterId === 'people')!;
    expect(people.toolIds).toEqual(expect.arrayContaining(['t_30', 't_31', 't_32']));
    expect(people.description).toBe('Age of a child in a family.');
  });

  test('[tool-library 13] non-leaf, unknown id, missing and repeated index are retried, then UNASSIGNED', async () => {
    let second: AssignClustersInput | undefined;
    const { clusters, balanced, rounds } = await cluster({
      script: (request) => {
        if (!request.role.name.endsWith('assign-clusters')) return undefined;
        const input = request.input as AssignClustersInput;
        const leaf = input.leaves[0]!.id;
        if (request.id.includes('-2:')) {
          second = input;
          // Only the first is placed now.
          return { assignments: [{ index: 1, leafId: leaf }] };
        }
        const valid = input.tools.map((_, index) => ({ index: index + 1, leafId: leaf }));
        if (valid.length < 20) return { assignments: valid };
        return {
          assignments: [
            { index: 1, leafId: 'root' },
            { index: 2, leafId: 'no-such-leaf' },
            { index: 4, leafId: leaf },
            { index: 4, leafId: leaf },
            ...valid.slice(4),
          ],
        };
      },
    });
    // Numbers 1 (no leaf), 2 (unknown), 3 (missing) and 4 (twice) are asked for again.
    expect(second!.tools.map(({ name }) => name)).toEqual(tools.slice(0, 4).map(({ name }) => name));
    expect(second!.feedback).toEqual([
      'Tool 4 has more than one leaf.',
      'Tool 1: "root" is no leaf of the tree.',
      'Tool 2: "no-such-leaf" is no leaf of the tree.',
      'Tool 3 has no leaf.',
    ]);
    expect(rounds.slice(-2)).toEqual(['assign-clusters 2', 'assign-clusters 1']);
    const rejects = await all<Reject>(keys.rejects(JOB, 'assign-clusters', 0));
    expect(rejects.map(({ itemId, code }) => [itemId, code])).toEqual(
      ['t_01', 't_02', 't_03'].map((id) => [id, 'UNASSIGNED']),
    );
    const lost = clusters.find(({ clusterId }) => clusterId === 'unassigned')!;
    expect(lost.toolIds).toEqual(['t_01', 't_02', 't_03']);
    expect(balanced.unassigned).toBe(3);
    expect(clusters.flatMap(({ toolIds }) => toolIds).toSorted()).toEqual(
      tools.map(({ id }) => id).toSorted(),
    );
  });

  test('a single tool is a tree of one leaf', async () => {
    const kept = tools.splice(1);
    try {
      const { clusters } = await cluster();
      expect(clusters.map(({ toolIds }) => toolIds)).toEqual([['t_00']]);
    } finally {
      tools.push(...kept);
    }
  });
});
