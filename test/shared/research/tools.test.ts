import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { seededRng } from '#shared/determinism/rng.ts';
import { openBudget } from '#shared/models/budget.ts';
import { closeDoor } from '#shared/models/door.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { cached } from '#shared/research/cache/tool-cache.ts';
import { indexCorpus } from '#shared/research/corpus/build.ts';
import { hitsOf, secretName } from '#shared/research/search/http.ts';
import { searchProvider, SEARCH_PRESETS, type SearchProvider } from '#shared/research/search/provider.ts';
import { waitAfter, withRetries } from '#shared/research/search/retries.ts';
import { browsePage, citeFrom } from '#shared/research/tools/browse-page.ts';
import type { ToolContext } from '#shared/research/tools/context.ts';
import { searchInternet } from '#shared/research/tools/search-internet.ts';
import { sectionsOf } from '#shared/research/tools/sections.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { countTokens } from '#shared/text/tokens.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { site, testNetwork, type Site } from '#test/support/web.ts';

const JOB = 'deep-research.aaaaaaaaaaaaaaaaaaaaaaaaaa';

/** Sleeps at once and remembers for how long; the time moves with it. */
function fastClock(): Clock & { slept: number[] } {
  let now = Date.parse('2026-03-01T00:00:00Z');
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    async sleep(ms, signal) {
      // Background beats wait for their end; what a caller waits for passes at once.
      if (signal && ms >= 1000)
        return new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      slept.push(ms);
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

let world: TestRuntime;
const sites: Site[] = [];
const servers: Server[] = [];
beforeEach(async () => {
  world = await embeddedRuntime({ env: { KEY_A: 'sk-secret-aaaa', KEY_B: 'sk-secret-bbbb' } });
});
afterEach(async () => {
  await closeDoor(world.runtime);
  for (const server of sites.splice(0)) await server.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await world.close();
});

interface Asked {
  method: string;
  key: string;
  url: string;
  body: string;
}

/** A search service that answers by the number of the request. */
async function service(
  answer: (n: number, asked: Asked) => { status?: number; body?: unknown; headers?: Record<string, string> },
) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      const one = {
        method: request.method!,
        key: String(request.headers['x-api-key'] ?? ''),
        url: request.url!,
        body,
      };
      asked.push(one);
      const { status = 200, body: reply = {}, headers = {} } = answer(asked.length, one);
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(reply));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  const provider: SearchProvider = {
    ...SEARCH_PRESETS.serper!,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/search`,
    keySecret: ['KEY_A', 'KEY_B'],
  };
  return { asked, provider };
}

const ORGANIC = {
  organic: [
    { title: 'Lake <b>Orrin</b>', link: 'https://lakes.example/orrin', snippet: 'Orrin&#x27;s\nlake' },
    { title: 'Bad', link: 'ftp://x' },
  ],
};
const context = (more: Partial<ToolContext>): ToolContext => ({
  runtime: world.runtime,
  jobId: JOB,
  workflow: 'deep-research',
  stage: 'Rollouts',
  ...more,
});
const rowsOf = async (): Promise<LedgerRow[]> => {
  const rows: LedgerRow[] = [];
  for await (const row of ledgerRows(world.runtime.records, JOB)) rows.push(row);
  return rows;
};

describe('searching the web', () => {
  it('[deep-research 16] the same search by two runs is one request, kept for a day, charged once', async () => {
    await openBudget(world.runtime, JOB, { microUsd: 1_000_000 });
    const { asked, provider } = await service(() => ({ body: ORGANIC }));
    const [one, two] = await Promise.all([
      searchInternet('lake orrin', context({ provider })),
      searchInternet('lake orrin', context({ provider })),
    ]);
    expect(one!.observation).toEqual({
      tool: 'search_internet',
      text: "1. Lake Orrin\n   https://lakes.example/orrin\n   Orrin's lake",
      meta: {},
    });
    expect(two!.observation).toEqual(one!.observation);
    expect([one!.cacheHit, two!.cacheHit].sort()).toEqual([false, true]);
    expect(one!.microUsd + two!.microUsd).toBe(1000);
    expect(asked).toEqual([
      { method: 'POST', key: 'sk-secret-aaaa', url: '/search', body: '{"q":"lake orrin"}' },
    ]);
    expect((await searchInternet('lake orrin', context({ provider }))).cacheHit).toBe(true);
    expect(asked).toHaveLength(1);
    expect(await rowsOf()).toMatchObject([
      {
        role: 'tool:search_internet',
        provider: 'http',
        model: 'serper',
        costMicros: 1000,
        state: 'settled',
        outcome: 'ok',
        billed: 'yes',
      },
    ]);
    expect((await reconcile(world.runtime, JOB)).byRole['tool:search_internet']).toMatchObject({
      microUsd: 1000,
      calls: 1,
    });
    // Keys are nowhere: not in the ledger, not in logs.
    expect(JSON.stringify([await rowsOf(), world.logs])).not.toContain('sk-secret');
  });

  it('[deep-research 16] failures are not kept', async () => {
    const { asked, provider } = await service((n) => (n === 1 ? { status: 403 } : { body: { organic: [] } }));
    expect((await searchInternet('q', context({ provider }))).observation).toEqual({
      tool: 'search_internet',
      text: 'Could not fetch: the search service answered 403.',
      code: 'fetch_failed',
      meta: {},
    });
    const again = await searchInternet('q', context({ provider }));
    expect(again).toMatchObject({ cacheHit: false, observation: { text: 'No results.' } });
    expect(asked).toHaveLength(2);
    const rows = await rowsOf();
    expect(rows.map(({ costMicros, billed }) => [costMicros, billed]).sort()).toEqual([
      [0, 'no'],
      [1000, 'yes'],
    ]);
  });

  it('rotates keys on 429, and tries transport errors again', async () => {
    const clock = fastClock();
    await world.close();
    world = await embeddedRuntime({ clock, env: { KEY_A: 'sk-secret-aaaa', KEY_B: 'sk-secret-bbbb' } });
    const { asked, provider } = await service((n) =>
      n <= 2
        ? { status: 429, headers: { 'retry-after': '2' } }
        : n === 3
          ? { status: 503 }
          : { body: ORGANIC },
    );
    const answer = await searchInternet('rotate', context({ provider }));
    expect(answer.observation.code).toBeUndefined();
    expect(asked.map(({ key }) => key)).toEqual([
      'sk-secret-aaaa',
      'sk-secret-bbbb',
      'sk-secret-aaaa',
      'sk-secret-aaaa',
    ]);
    // Only when every key was refused is there a reason to wait as long as was asked.
    expect(clock.slept.filter((ms) => ms >= 2000)).toEqual([2000]);
  });

  it('gives up after ten tries, and refuses what the budget cannot pay for', async () => {
    const clock = fastClock();
    await world.close();
    world = await embeddedRuntime({ clock, env: { KEY_A: 'x', KEY_B: 'y' } });
    const { asked, provider } = await service(() => ({ status: 500 }));
    const answer = await searchInternet('down', context({ provider }));
    expect(answer.observation.text).toBe('Could not fetch: the search service answered 500.');
    expect(asked.length).toBeLessThanOrEqual(10);
    expect(asked.length).toBeGreaterThan(3);
    await openBudget(world.runtime, 'deep-research.bbbbbbbbbbbbbbbbbbbbbbbbbb', { microUsd: 999 });
    const before = asked.length;
    await expect(
      searchInternet('poor', context({ provider, jobId: 'deep-research.bbbbbbbbbbbbbbbbbbbbbbbbbb' })),
    ).rejects.toMatchObject({ name: 'BudgetExhausted' });
    expect(asked).toHaveLength(before);
  });

  it('takes presets and descriptions, asks by GET too, leaves blocked hosts out', async () => {
    expect(searchProvider({})).toBeUndefined();
    expect(searchProvider({ AGENTMILL_SEARCH: 'brave' })).toMatchObject({
      name: 'brave',
      method: 'GET',
      resultsPath: 'web.results',
    });
    expect(() => searchProvider({ AGENTMILL_SEARCH: 'bing' })).toThrow(
      /neither a preset \(serper, brave\) nor JSON/,
    );
    expect(() => searchProvider({ AGENTMILL_SEARCH: '{"preset":"serper","microUsdPerCall":-1}' })).toThrow(
      /microUsdPerCall/,
    );
    const { asked, provider } = await service(() => ({
      body: {
        web: {
          results: [
            { title: 'A', url: 'https://data.huggingface.co/x' },
            { title: 'B', url: 'https://b.example/', description: 'b' },
          ],
        },
      },
    }));
    const brave = searchProvider({
      AGENTMILL_SEARCH: JSON.stringify({
        preset: 'brave',
        url: provider.url,
        headers: { 'X-API-KEY': '{key}' },
        params: { count: 10 },
        keySecret: 'KEY_B',
      }),
    })!;
    const answer = await searchInternet('a & b', context({ provider: brave, blocklist: ['huggingface.co'] }));
    expect(answer.observation.text).toBe('1. B\n   https://b.example/\n   b');
    expect(asked).toMatchObject([
      { method: 'GET', key: 'sk-secret-bbbb', url: '/search?count=10&q=a+%26+b' },
    ]);
    const unset = { ...brave, keySecret: 'KEY_C' };
    expect((await searchInternet('c', context({ provider: unset }))).observation.text).toBe(
      'Could not fetch: the key of the search service (KEY_C) is not set.',
    );
  });

  it('reads keys from the environment, on AWS from the secret of the stage', () => {
    const env = { AGENTMILL_STAGE: 'prod' };
    expect(secretName('SERPER_API_KEY', { kind: 'embedded', env })).toBe('SERPER_API_KEY');
    expect(secretName('SERPER_API_KEY', { kind: 'aws', env })).toBe('agentmill/prod/search');
    expect(secretName('team/search', { kind: 'aws', env })).toBe('team/search');
  });

  it('reads any answer of a service', () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom('', 'organic', 'a.b'), (answer, resultsPath) => {
        try {
          for (const hit of hitsOf(answer, {
            resultsPath,
            map: { title: 'title', url: 'link', snippet: 's.t' },
          }))
            expect(hit.url).toMatch(/^https?:/i);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
    );
  });

  it('waits with jitter, at most 30 s, and stops at the deadline', async () => {
    const rng = seededRng('waits');
    for (let k = 1; k <= 40; k++) {
      expect(waitAfter(k, rng)).toBeLessThanOrEqual(Math.min(30_000, 500 * 2 ** (k - 1)));
      expect(waitAfter(k, rng, 90_000)).toBe(30_000);
    }
    const clock = fastClock();
    let tries = 0;
    const failing = withRetries(() => Promise.reject(new Error(`no ${++tries}`)), {
      clock,
      rng,
      until: Infinity,
      again: () => ({}),
    });
    await expect(failing).rejects.toThrow('no 10');
    await expect(
      withRetries(() => Promise.reject(new Error(`no ${++tries}`)), {
        clock,
        rng,
        until: clock.now(),
        again: () => ({}),
      }),
    ).rejects.toThrow('no 11');
  });
});

describe('leases', () => {
  const call = { tool: 't', version: 1, arguments: { a: 1 }, source: 's', ttlSeconds: 10 };

  it('[deep-research 16] a waiter tries for itself when the first one failed', async () => {
    let runs = 0;
    const work = async () => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (runs === 1) throw new Error('first');
      return { status: 'ok', body: runs } as const;
    };
    const outcomes = await Promise.allSettled([
      cached(world.runtime, call, work),
      cached(world.runtime, call, work),
      cached(world.runtime, call, work),
    ]);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(runs).toBe(2);
  });

  it('lapse after 60 s, and entries after their time', async () => {
    let now = Date.now();
    const clock: Clock = {
      now: () => now,
      sleep: async (ms, signal) => {
        if (ms === 20_000)
          return new Promise((_, reject) =>
            signal!.addEventListener('abort', () => reject(signal!.reason as Error)),
          );
        now += ms;
        await new Promise((resolve) => setImmediate(resolve));
      },
    };
    const runtime = { ...world.runtime, clock };
    // Its process died: nobody renews or ends it.
    void cached(runtime, call, () => new Promise(() => undefined));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = now;
    expect(await cached(runtime, call, () => Promise.resolve({ status: 'ok', body: 2 }))).toMatchObject({
      body: 2,
      cacheHit: false,
    });
    expect(now - start).toBeGreaterThanOrEqual(60_000);
    expect(await cached(runtime, call, () => Promise.resolve({ status: 'ok', body: 3 }))).toMatchObject({
      body: 2,
      cacheHit: true,
    });
    now += 10_000;
    expect(await cached(runtime, call, () => Promise.resolve({ status: 'blocked' }))).toMatchObject({
      status: 'blocked',
      cacheHit: false,
    });
    expect(await cached(runtime, call, () => Promise.resolve({ status: 'ok', body: 4 }))).toMatchObject({
      status: 'blocked',
      cacheHit: true,
    });
  });
});

describe('browsing the web', () => {
  const prose = 'The lake lies between two ridges and is fed by three streams.';

  it('[deep-research 14] [deep-research 16] gives pages, refusals and blocks; keeps pages and blocks, not failures', async () => {
    let failures = 0;
    const server = await site({
      '/p': `<title>Lake Orrin</title><p>${prose} See <a href="http://x.example">more</a>.</p>`,
      '/data': { headers: { 'content-type': 'application/json' }, body: '{"depth": {"text": "41 m"}}' },
      '/blocked': { status: 302, headers: { location: 'http://huggingface.co/x' } },
      '/flaky': (_request, response) =>
        void (failures++ === 0
          ? response.writeHead(404).end()
          : response.writeHead(200, { 'content-type': 'text/plain' }).end('Depth: 41 m')),
    });
    sites.push(server);
    const at = (path: string) => `http://lake.test:${server.port}${path}`;
    const network = testNetwork({ 'lake.test': '127.0.0.1' }, [server.port, 80]);
    const web = context({ network, blocklist: ['huggingface.co'] });

    const page = await browsePage({ url: at('/p') }, web);
    expect(page).toMatchObject({
      cacheHit: false,
      observation: {
        text: `Lake Orrin\nsection 1 of 1 (section_id 0)\n\n${prose} See more.`,
        meta: { url: at('/p'), title: 'Lake Orrin', sections: 1 },
      },
    });
    expect((await browsePage({ url: `${at('/p')}#top` }, web)).cacheHit).toBe(true);
    expect(server.paths.filter((path) => path === '/p')).toHaveLength(1);
    expect(server.paths.filter((path) => path === '/robots.txt')).toHaveLength(1);
    expect((await browsePage({ url: at('/data') }, web)).observation.text).toContain('- depth: 41 m');

    expect((await browsePage({ url: at('/blocked') }, web)).observation).toMatchObject({
      text: 'This page is not available.',
      code: 'unavailable',
    });
    expect((await browsePage({ url: at('/blocked') }, web)).cacheHit).toBe(true);
    expect(server.paths.filter((path) => path === '/blocked')).toHaveLength(1);

    expect((await browsePage({ url: at('/flaky') }, web)).observation).toMatchObject({
      text: 'Could not fetch: the server answered 404.',
      code: 'fetch_failed',
    });
    expect((await browsePage({ url: at('/flaky') }, web)).observation.text).toContain('Depth: 41 m');
    expect((await browsePage({ url: 'http://169.254.169.254/' }, web)).observation).toMatchObject({
      text: 'This address is refused.',
      code: 'refused',
    });
    expect((await browsePage({ url: 'file:///etc/passwd' }, web)).observation.text).toBe(
      'This address is refused.',
    );
    expect((await browsePage({ url: 'no url' }, web)).observation.text).toBe(
      'Could not fetch: this is no URL.',
    );

    const cite = await citeFrom(
      [
        { url: at('/p'), quote: 'fed by three streams' },
        { url: at('/p'), quote: 'fed by four streams' },
      ],
      [{ url: at('/p'), step: 1, sourceRef: page.observation.meta.sourceRef! }],
      web,
    );
    expect(cite.map(({ status }) => status)).toEqual(['verified', 'quote_not_found']);
  });
});

describe('a corpus', () => {
  it('is searched and browsed alone: nothing is asked of the web', async () => {
    const documents = await writeJsonl(world.runtime.artifacts, 'in/docs.jsonl', [
      { id: 'a/b', title: 'Lake Orrin', text: 'Depth: 41 m\nSee https://lakes.example/orrin' },
    ]);
    const { corpusId } = await indexCorpus(world.runtime, { documents, index: 'lexical', owner: JOB });
    const offline = context({ corpus: { corpusId, semanticWeight: 0.1 }, network: testNetwork({}, []) });
    const found = await searchInternet('depth of orrin', offline);
    expect(found.observation.text).toBe('1. Lake Orrin\n   corpus://a/b\n   Depth: 41 m / See [link]');
    expect((await searchInternet('depth of orrin', offline)).cacheHit).toBe(true);
    expect((await searchInternet('?!', offline)).observation.text).toBe('No results.');
    expect((await browsePage({ url: 'corpus://a/b' }, offline)).observation).toEqual({
      tool: 'browse_page',
      text: 'Lake Orrin\nsection 1 of 1 (section_id 0)\n\nDepth: 41 m\nSee [link]',
      meta: { url: 'corpus://a/b', title: 'Lake Orrin', sections: 1 },
    });
    for (const url of ['corpus://other', 'https://lakes.example/orrin', 'http://169.254.169.254/'])
      expect((await browsePage({ url }, offline)).observation).toMatchObject({
        text: 'This page is not available.',
        code: 'unavailable',
      });
    const cite = await citeFrom(
      [{ url: 'corpus://a/b', quote: 'Depth: 41 m' }],
      [{ url: 'corpus://a/b', step: 3 }],
      offline,
    );
    expect(cite).toEqual([{ n: 1, url: 'corpus://a/b', quote: 'Depth: 41 m', step: 3, status: 'verified' }]);
  });
});

describe('[deep-research 13] sections', () => {
  it('[deep-research 13] a section that does not exist is told with the range', async () => {
    const line = 'Every line of this long page says something about the lake and its three streams.\n';
    const documents = await writeJsonl(world.runtime.artifacts, 'in/long.jsonl', [
      { id: 'long', title: 'Long', text: line.repeat(1200) },
    ]);
    const { corpusId } = await indexCorpus(world.runtime, { documents, index: 'lexical', owner: JOB });
    const offline = context({ corpus: { corpusId, semanticWeight: 0 } });
    const last = await browsePage({ url: 'corpus://long', section_id: 2 }, offline);
    expect(last.observation.text).toMatch(/^Long\nsection 3 of 3 \(section_id 2\)\n\nEvery line/);
    for (const id of [99, -1, 3])
      expect((await browsePage({ url: 'corpus://long', section_id: id }, offline)).observation).toMatchObject(
        {
          text: `Section ${id} does not exist; this page has 0 to 2.`,
          code: 'no_section',
        },
      );
  });

  it('cover the text, keep the limit, end at the last paragraph break of their final tenth', () => {
    const paragraph = `${'word '.repeat(20)}\n\n`;
    const text = paragraph.repeat(40);
    const sections = sectionsOf(text, 210);
    expect(sections.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
    for (const { start, end } of sections.slice(0, -1)) {
      expect(text.slice(0, end).endsWith('\n\n')).toBe(true);
      expect(countTokens(text.slice(start, end))).toBeLessThanOrEqual(210);
      expect(countTokens(text.slice(start, end))).toBeGreaterThan(180);
    }
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('word ', '\n', '\n\n', 'x'.repeat(2500), '😀', 'y '.repeat(1500)), {
          maxLength: 30,
        }),
        (parts) => {
          const any = parts.join('');
          const cut = sectionsOf(any, 500);
          expect(cut.map(({ start, end }) => any.slice(start, end)).join('')).toBe(any);
          for (const { start, end } of cut) expect(any.slice(start, end).isWellFormed()).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });
});
