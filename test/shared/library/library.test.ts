import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ListToolsResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { listAliases, readAlias, resolveVersion, setAlias } from '#shared/library/aliases.ts';
import { mcpTool, openAiTool } from '#shared/library/exports.ts';
import { countsOf } from '#shared/library/counts.ts';
import { invokeTool } from '#shared/library/invoke.ts';
import { loadLibrary, toolOf, type LoadedLibrary } from '#shared/library/load.ts';
import { keywordCall, pythonLiteral } from '#shared/library/python.ts';
import { searchTools } from '#shared/library/search.ts';
import {
  libraryFacts,
  libraryKey,
  listLibraries,
  listVersions,
  publishVersion,
  readManifest,
} from '#shared/library/store.ts';
import { searchText } from '#shared/library/text.ts';
import { openSandbox, type Sandbox } from '#shared/sandbox/index.ts';
import { sentenceEncoder, type Encoder } from '#shared/text/encoder.ts';
import { hundredTools, libraryTool, PROFIT, publishTools } from '#test/support/library.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const ID = 'sums';

describe('searching a hundred tools', () => {
  let world: TestRuntime;
  let library: LoadedLibrary;
  let encoder: Encoder;
  beforeAll(async () => {
    world = await embeddedRuntime();
    encoder = await sentenceEncoder();
    const { version } = await publishTools(world.runtime, ID, hundredTools());
    library = await loadLibrary(world.runtime, ID, version);
  });
  afterAll(() => world.close());

  test('[tool-library 24] "profit from selling roses" finds the merged tool in the top 5 of 100', async () => {
    expect(library.index.rows).toHaveLength(100);
    const hits = await searchTools(library.index, { query: 'profit from selling roses' }, encoder);
    expect(hits).toHaveLength(5);
    expect(hits.map(({ name }) => name)).toContain(PROFIT.name);
    const hit = hits.find(({ name }) => name === PROFIT.name)!;
    expect(hit.schema).toEqual(PROFIT.schema);
    expect(hit).toMatchObject({ toolId: PROFIT.id, path: ['money', 'profit'], clusterId: 'profit' });
  });

  test('the score is 0.7 of the share of the best cosine and 0.3 of the share of the best BM25, ties by id', async () => {
    const hits = await searchTools(library.index, { query: 'area of a garden', k: 20 }, encoder);
    const best = {
      cosine: Math.max(...hits.map(({ parts }) => parts.cosine)),
      bm25: Math.max(...hits.map(({ parts }) => parts.bm25)),
    };
    for (const { score, parts } of hits)
      expect(score).toBeCloseTo((0.7 * parts.cosine) / best.cosine + (0.3 * parts.bm25) / best.bm25, 9);
    for (const [index, hit] of hits.slice(1).entries()) {
      const before = hits[index]!;
      expect(before.score > hit.score || (before.score === hit.score && before.toolId < hit.toolId)).toBe(
        true,
      );
    }
    expect(hits[0]!.name).toBe('area_of_garden');
  });

  test('filters by cluster and tags; each mode looks at its part alone', async () => {
    const query = 'speed of a runner';
    const inCluster = await searchTools(library.index, { query, cluster: 'tax', k: 20 }, encoder);
    expect(new Set(inCluster.map(({ clusterId }) => clusterId))).toEqual(new Set(['tax']));
    expect(inCluster).toHaveLength(9);
    const tagged = await searchTools(library.index, { query, tags: ['money'] }, encoder);
    expect(tagged.map(({ name }) => name)).toEqual([PROFIT.name]);
    expect(await searchTools(library.index, { query, tags: ['money', 'tax'] }, encoder)).toEqual([]);
    const [byVector] = await searchTools(library.index, { query, mode: 'vector', k: 1 }, encoder);
    expect(byVector!.parts.bm25).toBe(0);
    expect(byVector!.score).toBeCloseTo(1, 9);
    const byWord = await searchTools(library.index, { query: 'garden', mode: 'keyword', k: 20 }, encoder);
    expect(byWord.every(({ name }) => name.endsWith('garden'))).toBe(true);
    expect(byWord[0]!.parts.cosine).toBe(0);
  });

  test('refuses k beyond 1..20 and empty queries', async () => {
    for (const k of [0, 21, 1.5])
      await expect(searchTools(library.index, { query: 'x', k }, encoder)).rejects.toMatchObject({
        name: 'InvalidInput',
      });
    await expect(searchTools(library.index, { query: ' ' }, encoder)).rejects.toMatchObject({
      name: 'InvalidInput',
    });
  });

  test('another encoder is a Conflict; words alone need none', async () => {
    const other: Encoder = { id: 'other', dims: 512, embed: () => Promise.reject(new Error('never asked')) };
    await expect(searchTools(library.index, { query: 'x' }, other)).rejects.toMatchObject({
      name: 'Conflict',
      message: expect.stringContaining('other'),
    });
    const hits = await searchTools(library.index, { query: 'roses', mode: 'keyword' }, other);
    expect(hits.map(({ name }) => name)).toEqual([PROFIT.name]);
  });

  test('a failing encoder fails the search, it never answers by words alone', async () => {
    const broken: Encoder = { ...library.index.encoder, embed: () => Promise.reject(new Error('no memory')) };
    await expect(searchTools(library.index, { query: 'x' }, broken)).rejects.toThrow('no memory');
  });

  test('the text of a tool', () => {
    expect(searchText(PROFIT)).toBe(
      'profit from quantity and price. Profit from a quantity sold at a price, less a cost each and a fixed amount. For muffins, car washes, roses. Parameters: quantity, price, cost, amount. Topic: money / profit.',
    );
  });

  test('finds every tool by name with its own bytes', async () => {
    for (const name of [PROFIT.name, 'area_of_garden', 'wage_of_pizza']) {
      expect((await toolOf(world.runtime, library, name)).tool.code).toContain(`def ${name}(`);
    }
    await expect(toolOf(world.runtime, library, 'toString')).rejects.toMatchObject({ name: 'NotFound' });
  });
});

describe('versions and aliases', () => {
  let world: TestRuntime;
  beforeEach(async () => {
    world = await embeddedRuntime();
  });
  afterEach(() => world.close());
  const tool = (name: string) => libraryTool(name, `About ${name}.`, `def ${name}():\n    return 1`);

  test('[tool-library 28] publish v2, alias back: search answers from v1; a stale ifVersion is a Conflict', async () => {
    const { runtime } = world;
    const first = await publishTools(runtime, ID, [tool('first_tool')]);
    const second = await publishTools(runtime, ID, [tool('second_tool')]);
    expect([first.number, second.number]).toEqual([1, 2]);
    const found = async () => {
      const library = await loadLibrary(runtime, ID, await resolveVersion(runtime, ID));
      return (await searchTools(library.index, { query: 'tool' }, await sentenceEncoder())).map(
        ({ name }) => name,
      );
    };
    expect(await found()).toEqual(['second_tool']);
    const back = { libraryId: ID, name: 'latest', version: first.version };
    expect(await setAlias(runtime, { ...back, ifVersion: second.version })).toEqual({
      ...back,
      previous: [second.version, first.version],
    });
    expect(await found()).toEqual(['first_tool']);
    await expect(
      setAlias(runtime, { ...back, version: second.version, ifVersion: second.version }),
    ).rejects.toMatchObject({ name: 'Conflict', message: expect.stringContaining(first.version) });
    expect(await found()).toEqual(['first_tool']);
    expect((await listVersions(runtime, ID, { limit: 10 })).map(({ number }) => number)).toEqual([2, 1]);
  });

  test('of racing moves of an alias one wins', async () => {
    const { runtime } = world;
    const first = await publishTools(runtime, ID, [tool('a')]);
    const others = [
      await publishTools(runtime, ID, [tool('b')], { alias: null }),
      await publishTools(runtime, ID, [tool('c')], { alias: null }),
    ];
    const moves = await Promise.allSettled(
      others.map(({ version }) =>
        setAlias(runtime, { libraryId: ID, name: 'latest', version, ifVersion: first.version }),
      ),
    );
    expect(moves.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await readAlias(runtime, ID, 'latest'))!.previous).toEqual([first.version]);
  });

  test('moves without a condition never fail for another: the last one wins', async () => {
    const { runtime } = world;
    const versions = [
      await publishTools(runtime, ID, [tool('a')]),
      await publishTools(runtime, ID, [tool('b')], { alias: null }),
      await publishTools(runtime, ID, [tool('c')], { alias: null }),
    ].map(({ version }) => version);
    const move = (version: string) => setAlias(runtime, { libraryId: ID, name: 'latest', version });
    const moved = await Promise.all([...versions, ...versions].map(move));
    expect(moved.map(({ version }) => version)).toEqual([...versions, ...versions]);
    const alias = await readAlias(runtime, ID, 'latest');
    expect(versions).toContain(alias!.version);
    for (const [at, version] of [alias!.version, ...alias!.previous].entries())
      expect(version).not.toBe(alias!.previous[at]);
  });

  test('an alias is moved to where another points; all of them are listed', async () => {
    const { runtime } = world;
    const first = await publishTools(runtime, ID, [tool('a')]);
    const set = (name: string, version: string) => setAlias(runtime, { libraryId: ID, name, version });
    expect(await set('stable', 'latest')).toMatchObject({ version: first.version });
    await publishTools(runtime, ID, [tool('b')]);
    expect(await readAlias(runtime, ID, 'stable')).toMatchObject({ version: first.version });
    await expect(set('stable', 'no-such')).rejects.toMatchObject({ name: 'NotFound' });
    const names = Array.from({ length: 120 }, (_, at) => `pin-${String(at).padStart(3, '0')}`);
    for (const name of names) await set(name, 'stable');
    expect((await listAliases(runtime, ID)).map(({ name }) => name)).toEqual(['latest', ...names, 'stable']);
  });

  test('equal contents are one version, published again they change nothing', async () => {
    const { runtime } = world;
    const first = await publishTools(runtime, ID, [tool('a')]);
    expect(await publishTools(runtime, ID, [tool('a')])).toEqual(first);
    expect(await listVersions(runtime, ID, { limit: 10 })).toHaveLength(1);
    expect(first.version).toMatch(/^v_[0-9a-f]{16}$/);
    expect(first.files.map(({ key }) => key)).toContain(libraryKey(ID, first.version, 'tools.jsonl'));
    expect(await runtime.artifacts.head(libraryKey(ID, first.version, '_SUCCESS'))).toBeDefined();
    expect(await readManifest(runtime, ID, first.version)).toEqual(first);
  });

  test('publications at the same time get different numbers', async () => {
    const { runtime } = world;
    const library = await publishTools(runtime, ID, [tool('a')]);
    const { libraryId: _id, version: _version, number: _number, files, ...manifest } = library;
    const [tools] = files;
    const request = (size: number) => ({
      libraryId: ID,
      owner: 'local',
      files: { 'tools.jsonl': { key: tools!.key, bytes: tools!.bytes, sha256: String(size).repeat(64) } },
      manifest,
    });
    const made = await Promise.all([1, 2, 3].map((each) => publishVersion(runtime, request(each))));
    expect(made.map(({ number }) => number).sort()).toEqual([2, 3, 4]);
  });

  test('a library belongs to who made it first', async () => {
    const aws = { ...world.runtime, kind: 'aws' as const };
    await publishTools(aws, ID, [tool('a')], { owner: 'o1' });
    await expect(publishTools(aws, ID, [tool('b')], { owner: 'o2' })).rejects.toMatchObject({
      name: 'Conflict',
    });
    expect(await libraryFacts(aws, ID)).toMatchObject({ owner: 'o1' });
    await publishTools(aws, 'other', [tool('b')], { owner: 'o2' });
    await publishTools(aws, 'third', [tool('b')], { owner: 'o2' });
    expect(await listLibraries(aws, { owner: 'o2', limit: 10 })).toEqual({
      items: [
        { libraryId: 'other', owner: 'o2' },
        { libraryId: 'third', owner: 'o2' },
      ],
    });
    const page = await listLibraries(aws, { limit: 2 });
    expect(page.items.map(({ libraryId }) => libraryId)).toEqual([ID, 'other']);
    const next = await listLibraries(aws, { limit: 2, after: page.next! });
    expect(next).toEqual({ items: [{ libraryId: 'third', owner: 'o2' }] });
  });

  test('unknown libraries, versions and aliases say so', async () => {
    const { runtime } = world;
    const { version } = await publishTools(runtime, ID, [tool('a')]);
    expect(await resolveVersion(runtime, ID, version)).toBe(version);
    expect((await listAliases(runtime, ID)).map(({ name }) => name)).toEqual(['latest']);
    await expect(resolveVersion(runtime, ID, 'stable')).rejects.toMatchObject({ name: 'NotFound' });
    await expect(loadLibrary(runtime, ID, `v_${'0'.repeat(16)}`)).rejects.toMatchObject({ name: 'NotFound' });
    await expect(
      setAlias(runtime, { libraryId: ID, name: 'latest', version: `v_${'0'.repeat(16)}` }),
    ).rejects.toMatchObject({ name: 'NotFound' });
    await expect(setAlias(runtime, { libraryId: ID, name: 'Not One', version })).rejects.toMatchObject({
      name: 'InvalidInput',
    });
    expect(await libraryFacts(runtime, '../x')).toBeUndefined();
  });
});

describe('invoking and exporting', () => {
  let world: TestRuntime;
  let sandbox: Sandbox;
  let library: LoadedLibrary;
  const bag = libraryTool(
    'total_of_bag',
    'Sum of the prices of a bag, by the class of its module.',
    'def total_of_bag(prices, label="bag", taxed=False):\n    return {"label": label, "total": Bag(prices).total() * (2 if taxed else 1)}',
    {
      parameters: { prices: 'array' },
      options: { label: 'string', taxed: 'boolean' },
      moduleId: 'm_1',
      sibId: 's_1',
    },
  );
  const fact = libraryTool(
    'capital_city',
    'Which city is the capital.',
    'def capital_city():\n    return "Paris"',
    {
      kind: 'knowledge',
    },
  );
  const wrong = libraryTool('divide', '', 'def divide(a, b):\n    return a / b', {
    parameters: { a: 'number', b: 'number' },
  });
  const tools = [PROFIT, bag, fact, wrong];
  const modules = [
    {
      id: 'm_1',
      sibId: 's_1',
      code: 'class Bag:\n    def __init__(self, prices):\n        self.prices = prices\n    def total(self):\n        return sum(self.prices)',
    },
  ];
  beforeAll(async () => {
    world = await embeddedRuntime();
    sandbox = await openSandbox(world.runtime, { workers: 1 });
    const { version } = await publishTools(world.runtime, ID, tools, { modules });
    library = await loadLibrary(world.runtime, ID, version);
  });
  afterAll(async () => {
    await sandbox.close();
    await world.close();
  });
  const invoke = (name: string, values: Parameters<typeof invokeTool>[4]) =>
    invokeTool(world.runtime, sandbox, library, name, values);

  test('[tool-library 29] OpenAI and MCP exports validate; every name invokes', async () => {
    const values = {
      [PROFIT.name]: { quantity: 24, price: 3 },
      total_of_bag: { prices: [1, 2.5], label: 'naïve "bag"\n\u2028 😀' },
      capital_city: {},
      divide: { a: 1, b: 2 },
    };
    const results: unknown[] = [];
    const ajv = new Ajv2020({ strict: true });
    for (const tool of tools) {
      const openAi = openAiTool(tool);
      expect(openAi.type).toBe('function');
      expect(openAi.function.name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
      expect(openAi.function.description.length).toBeGreaterThan(0);
      expect(ajv.compile(openAi.function.parameters)(values[tool.name])).toBe(true);
      const result = await invoke(openAi.function.name, values[tool.name]!);
      results.push(result.ok ? result.value : result.error);
    }
    expect(results).toEqual([45, { label: 'naïve "bag"\n\u2028 😀', total: 3.5 }, 'Paris', 0.5]);
    const listed = ListToolsResultSchema.parse({ tools: tools.map(mcpTool) });
    expect(listed.tools.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
    expect(listed.tools[0]).toMatchObject({
      title: 'Profit from quantity and price',
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    });
  });

  test('what a tool raises is its answer, counted as an error', async () => {
    const [before] = await countsOf(world.runtime, library.manifest, ['divide']);
    expect(await invoke('divide', { a: 1, b: 0 })).toMatchObject({
      ok: false,
      error: { type: 'ZeroDivisionError' },
    });
    expect(await countsOf(world.runtime, library.manifest, ['divide', 'never_called'])).toEqual([
      { invocations: before!.invocations + 1, errors: before!.errors + 1 },
      { invocations: 0, errors: 0 },
    ]);
  });

  test('arguments are held to the schema, fault by fault', async () => {
    await expect(invoke('divide', { a: '1', c: 2 })).rejects.toMatchObject({
      name: 'InvalidInput',
      problems: expect.arrayContaining([expect.objectContaining({ pointer: '/arguments/a' })]),
    });
    expect(await countsOf(world.runtime, library.manifest, ['total_of_bag'])).toMatchObject([{ errors: 0 }]);
  });

  test('JSON values arrive in Python as they were', async () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    await fc.assert(
      fc.asyncProperty(value, async (json) => {
        const text = pythonLiteral(json as never);
        const result = await sandbox.run(
          {
            id: 'x',
            language: 'python',
            code: 'import json\ndef same(a, b):\n    return type(a) is type(b) and a == b',
            call: `same(${text}, json.loads(${pythonLiteral(JSON.stringify(json))}))`,
            timeoutMs: 3000,
            memoryMb: 256,
            seed: 1,
          },
          { unitId: 'literals' },
        );
        expect(result).toMatchObject({ ok: true, value: true });
      }),
      { numRuns: 150 },
    );
    expect(keywordCall('f', { a: null, b: [true, 1e21, -0, 0.1] })).toBe(
      'f(a=None, b=[True, 1e+21, 0, 0.1])',
    );
  });
});
