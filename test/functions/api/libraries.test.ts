import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ListToolsResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { createApi } from '#functions/api/create-api.ts';
import { encodeCursor } from '#functions/api/cursors.ts';
import { ToolPage } from '#functions/api/library-schemas.ts';
import { readAlias } from '#shared/library/aliases.ts';
import { closeSandbox } from '#shared/library/service.ts';
import type { Library } from '#shared/library/types.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { eventClient, jwt, type Client } from '#test/support/api.ts';
import { hundredTools, libraryTool, PROFIT, publishTools } from '#test/support/library.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const ID = 'sums';
const at = (path: string, libraryId = ID): string => `/v1/libraries/${libraryId}${path}`;

describe('libraries over HTTP', () => {
  let world: TestRuntime;
  let aws: Runtime;
  let api: Client;
  let remote: Client;
  let versions: Library[];
  beforeAll(async () => {
    world = await embeddedRuntime();
    aws = { ...world.runtime, kind: 'aws' };
    const handler = createApi({ catalog: [] });
    api = eventClient(handler, world.runtime);
    remote = eventClient(handler, aws);
    const tools = hundredTools().slice(0, 12);
    versions = [
      await publishTools(world.runtime, ID, [
        ...tools,
        libraryTool('old_tool', 'Old.', 'def old_tool(): return 1'),
      ]),
      await publishTools(world.runtime, ID, tools),
    ];
  });
  afterAll(async () => {
    await closeSandbox(world.runtime);
    await world.close();
  });

  const search = (body: Record<string, unknown>, libraryId?: string) =>
    api({ method: 'POST', path: at('/search', libraryId), body });
  const invoke = (name: string, body?: unknown) =>
    api({ method: 'POST', path: at(`/tools/${name}/invoke`), ...(body === undefined ? {} : { body }) });

  test('searches, with the parts of each score and the schema', async () => {
    const { status, body } = await search({ query: 'profit from selling roses', k: 3 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ libraryId: ID, version: versions[1]!.version });
    expect(body.hits).toHaveLength(3);
    const hit = body.hits.find((each: { name: string }) => each.name === PROFIT.name);
    expect(hit.schema).toEqual(PROFIT.schema);
    expect(hit.parts.cosine).toBeGreaterThan(0);
    const old = await search({ query: 'old', mode: 'keyword', version: versions[0]!.version });
    expect(old.body.hits.map(({ name }: { name: string }) => name)).toEqual(['old_tool']);
    const none = await search({ query: 'profit', tags: ['money'], cluster: 'tax' });
    expect(none.body.hits).toEqual([]);
  });

  test('[tool-library 23] k 0 and 21: 400; encoder mismatch: 409', async () => {
    for (const k of [0, 21, 2.5, -1]) {
      const { status, body } = await search({ query: 'x', k });
      expect(status).toBe(400);
      expect(body).toMatchObject({
        type: 'urn:agentmill:problem:out-of-range',
        errors: [{ pointer: '#/k', code: 'out-of-range' }],
      });
    }
    await publishTools(world.runtime, 'foreign', [PROFIT], { encoder: { id: 'other-encoder', dims: 512 } });
    const { status, body } = await search({ query: 'x' }, 'foreign');
    expect(status).toBe(409);
    expect(body.detail).toContain('other-encoder');
    expect((await search({ query: 'profit', mode: 'keyword' }, 'foreign')).status).toBe(200);
  });

  test('refuses what is no search', async () => {
    expect((await search({})).status).toBe(422);
    expect((await search({ query: 'x', mode: 'magic' })).status).toBe(422);
    expect(await search({ query: '   ' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '#/query' }] },
    });
    expect((await search({ query: 'x', version: 'v_0000000000000000' })).status).toBe(404);
    expect((await search({ query: 'x', version: 'stable' })).status).toBe(404);
    expect((await search({ query: 'x' }, 'nothing')).status).toBe(404);
    expect((await search({ query: 'x' }, '..%2Fx')).status).toBe(404);
  });

  test('invokes with arguments held to the schema, and counts', async () => {
    const { status, body } = await invoke(PROFIT.name, { arguments: { quantity: 24, price: 3 } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ ok: true, value: 45, stdout: '' });
    const bad = await invoke(PROFIT.name, { arguments: { quantity: '24', discount: 1 } });
    expect(bad.status).toBe(422);
    expect(bad.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toContain(
      '#/arguments/quantity',
    );
    expect((await invoke('nothing', {})).status).toBe(404);
    expect((await invoke('__proto__')).status).toBe(404);
    const listed = await api({ path: at('/tools'), query: { limit: '1' } });
    expect(listed.body.items[0]).toMatchObject({
      name: PROFIT.name,
      code: PROFIT.code,
      evidence: { runs: 1, invocations: 1, errors: 0 },
    });
    const old = await invoke('old_tool', { version: versions[0]!.version });
    expect(old.body).toMatchObject({ ok: true, value: 1 });
  });

  test('lists tools page by page, as OpenAI functions and as MCP tools', async () => {
    for (const format of ['agentmill', 'openai', 'mcp']) {
      const names: string[] = [];
      for (let cursor: string | undefined; ;) {
        const { status, body } = await api({
          path: at('/tools'),
          query: { format, limit: '5', ...(cursor === undefined ? {} : { cursor }) },
        });
        expect(status).toBe(200);
        expect(ToolPage.safeParse(body).error).toBeUndefined();
        if (format === 'mcp') ListToolsResultSchema.parse(body);
        for (const tool of body.items ?? body.tools) names.push(tool.name ?? tool.function.name);
        cursor = body.nextCursor;
        if (cursor === undefined) break;
      }
      expect(names).toEqual(
        hundredTools()
          .slice(0, 12)
          .map(({ name }) => name),
      );
    }
    const other = await api({ path: at('/tools'), query: { format: 'xml' } });
    expect(other.status).toBe(422);
    const stolen = await api({ path: at('/tools'), query: { format: 'mcp', limit: '5' } });
    const wrong = await api({
      path: at('/tools'),
      query: { format: 'openai', cursor: stolen.body.nextCursor },
    });
    expect(wrong.status).toBe(400);
    const list = ['tools', ID, versions[1]!.version, 'mcp'];
    for (const place of ['-1', 'x', '1e3', '99999999999'])
      expect(
        (await api({ path: at('/tools'), query: { format: 'mcp', cursor: encodeCursor(list, place) } }))
          .status,
      ).toBe(400);
  });

  test('a page of large tools ends before an answer of a function on AWS is too large', async () => {
    const large = (name: string) =>
      libraryTool(name, 'Large.', `def ${name}():\n    return 1\n# ${'x'.repeat(1_500_000)}`);
    const names = ['a_tool', 'b_tool', 'c_tool', 'd_tool'];
    await publishTools(world.runtime, 'large', [
      ...names.map(large),
      libraryTool('e_tool', 'Small.', 'x = 1'),
    ]);
    const pages: string[][] = [];
    for (let cursor: string | undefined; ;) {
      const query = { limit: '100', ...(cursor === undefined ? {} : { cursor }) };
      const { body } = await api({ path: at('/tools', 'large'), query });
      pages.push(body.items.map(({ name }: { name: string }) => name));
      cursor = body.nextCursor;
      if (cursor === undefined) break;
    }
    expect(pages).toEqual([
      ['a_tool', 'b_tool'],
      ['c_tool', 'd_tool', 'e_tool'],
    ]);
  });

  test('lists libraries and versions, and moves aliases under a condition', async () => {
    expect((await api({ path: '/v1/libraries' })).body.items).toContainEqual({
      libraryId: ID,
      owner: 'local',
    });
    const first = await api({ path: at('/versions'), query: { limit: '1' } });
    expect(first.body.items).toMatchObject([
      { number: 2, version: versions[1]!.version, counts: { tools: 12 } },
    ]);
    const second = await api({ path: at('/versions'), query: { limit: '1', cursor: first.body.nextCursor } });
    expect(second.body).toEqual({ items: [expect.objectContaining({ number: 1 })] });

    const move = (body: unknown) => api({ method: 'POST', path: at('/alias'), body });
    const back = { alias: 'latest', version: versions[0]!.version };
    const moved = await move({ ...back, ifVersion: versions[1]!.version });
    expect(moved).toMatchObject({ status: 200, body: { version: versions[0]!.version, name: 'latest' } });
    const stale = await move({ ...back, version: versions[1]!.version, ifVersion: versions[1]!.version });
    expect(stale.status).toBe(409);
    expect((await search({ query: 'old', mode: 'keyword' })).body.hits).toHaveLength(1);
    expect((await move({ alias: 'latest', version: versions[1]!.version })).status).toBe(200);
    expect(await move({ alias: 'No Name', version: versions[1]!.version })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '#/alias' }] },
    });
    const pinned = await move({ alias: 'pinned', version: 'latest' });
    expect(pinned).toMatchObject({ status: 200, body: { version: versions[1]!.version, name: 'pinned' } });
    expect((await move({ alias: 'latest', version: 'v_0000000000000000' })).status).toBe(404);
    expect((await api({ path: at('') })).body.aliases).toEqual([
      await readAlias(world.runtime, ID, 'latest'),
      await readAlias(world.runtime, ID, 'pinned'),
    ]);
  });

  test("others' libraries are not there; a token needs its scopes", async () => {
    const mine = jwt('alice');
    const { owner } = (await import('#functions/api/caller.ts')).callerOf(
      { requestContext: { authorizer: mine } } as never,
      aws,
    );
    await publishTools(aws, 'private', [PROFIT], { owner });
    const path = at('', 'private');
    expect((await remote({ path, authorizer: mine })).status).toBe(200);
    expect((await remote({ path, authorizer: jwt('bob') })).status).toBe(404);
    for (const [method, below] of [
      ['GET', '/tools'],
      ['GET', '/versions'],
      ['POST', '/search'],
      ['POST', '/alias'],
      ['POST', `/tools/${PROFIT.name}/invoke`],
    ] as const) {
      const body =
        method === 'GET' ? {} : { body: below === '/alias' ? { alias: 'a', version: 'b' } : { query: 'x' } };
      const call = { method, path: `${path}${below}`, ...(below.endsWith('invoke') ? {} : body) };
      expect((await remote({ ...call, authorizer: jwt('bob') })).status).toBe(404);
    }
    expect((await remote({ path: '/v1/libraries', authorizer: mine })).body.items).toEqual([
      { libraryId: 'private', owner },
    ]);
    expect((await remote({ path: '/v1/libraries', authorizer: jwt('bob') })).body.items).toEqual([]);
    const reader = jwt('alice', ['jobs:read']);
    const call = {
      method: 'POST',
      path: `${path}/tools/${PROFIT.name}/invoke`,
      body: {},
      authorizer: reader,
    };
    expect((await remote(call)).status).toBe(403);
  });
});
