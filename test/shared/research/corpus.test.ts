import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { anyText } from '#test/support/texts.ts';
import { indexCorpus, type IndexStep } from '#shared/research/corpus/build.ts';
import { openCorpus } from '#shared/research/corpus/open.ts';
import { matchExpression } from '#shared/research/corpus/query.ts';
import { corpusIdOf, type IndexKind } from '#shared/research/corpus/settings.ts';
import { corpusIdIn, corpusUrl } from '#shared/research/corpus/url.ts';
import { flattenJson } from '#shared/research/corpus/flatten-json.ts';
import { passagesOf } from '#shared/research/corpus/passages.ts';
import { documentOf } from '#shared/research/corpus/documents.ts';
import { documentConverters } from '#shared/research/corpus/converters.ts';
import type { Corpus } from '#shared/research/corpus/corpus.ts';
import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { unitVector } from '#shared/text/vectors.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

let world: TestRuntime;
beforeEach(async () => {
  world = await embeddedRuntime();
});
afterEach(() => world.close());

const LAKES = [
  { id: 'lakes/orrin', title: 'Lake Orrin', text: 'Depth: 41 m\nOutflow: Tessel\nNearest town: Brackwater' },
  { id: 'lakes/maren', title: 'Lake Maren', text: 'Depth: 12 m\nOutflow: Vole\nNearest town: Pell' },
  {
    id: 'tessel',
    title: 'Tessel',
    text: 'The Tessel leaves Lake Orrin and runs to the sea.\n\n## Course\n\nLength: 88 km',
  },
];

/** A toy whose vectors count letters: nearness is plain to see. */
const letters: Encoder = {
  id: 'letters@1',
  dims: 28,
  embed: (texts) =>
    Promise.resolve(
      texts.map((text) => {
        const counts = new Float32Array(28).fill(0.01);
        for (const letter of text.toLowerCase()) {
          const code = letter.charCodeAt(0) - 97;
          if (code >= 0 && code < 26) counts[code]!++;
        }
        return unitVector(counts)!;
      }),
    ),
};

const put = (rows: unknown[], key = 'in/docs.jsonl'): Promise<ArtifactRef> =>
  writeJsonl(world.runtime.artifacts, key, rows);

async function build(documents: ArtifactRef, index: IndexKind = 'lexical'): Promise<Corpus> {
  const encoder = index === 'lexical' ? {} : { encoder: () => Promise.resolve(letters) };
  let step: IndexStep;
  do step = await indexCorpus(world.runtime, { documents, index, owner: 'job', ...encoder });
  while (!step.done);
  return openCorpus(world.runtime, step.corpusId, () => Promise.resolve(letters));
}

describe('an index', () => {
  it('finds documents by words, by their forms and without accents, best first', async () => {
    const corpus = await build(await put(LAKES));
    const hits = await corpus.search('which TOWNS are near Lake Örrin');
    expect(hits[0]).toMatchObject({ title: 'Lake Orrin', url: 'corpus://lakes/orrin', score: 1 });
    expect(hits[0]!.snippet).toContain('Nearest town: Brackwater');
    expect(await corpus.search('zzz')).toEqual([]);
    expect(corpus.document(corpusIdIn(hits[0]!.url)!)?.text).toBe(LAKES[0]!.text);
  });

  it('has the facts of every document, with the line that states them', async () => {
    const corpus = await build(await put(LAKES));
    const [fact, ...others] = [...corpus.facts({ relation: 'Outflow', normalHead: 'tessel' })];
    expect(others).toEqual([]);
    expect(fact).toMatchObject({
      documentId: 'lakes/orrin',
      key: 'Outflow',
      head: 'Tessel',
      line: 2,
      text: 'Outflow: Tessel',
    });
    expect([...corpus.facts({ documentId: 'tessel' })]).toMatchObject([
      { key: 'Length', path: ['Course'], value: '88 km' },
    ]);
    expect(corpus.relations()[0]).toEqual({ relation: 'Depth', documents: 2 });
    expect(corpus.documentsWith('runs')).toBe(1);
  });

  it('names a key with its heading everywhere, once one document has it under several', async () => {
    const corpus = await build(
      await put([
        { id: 'a', title: 'A', json: { Area: { total: '5 sq km' }, Coast: { total: '3 km' } } },
        { id: 'b', title: 'B', json: { Area: { total: '7 sq km' } } },
      ]),
    );
    expect([...corpus.facts({ documentId: 'b' })].map(({ relation }) => relation)).toEqual(['Area - total']);
  });

  it('is the same however many steps it took, and is there only when it is whole', async () => {
    const rows = Array.from({ length: 300 }, (_, n) => ({
      id: `d${n}`,
      title: `Item ${n}`,
      text: `Colour: shade ${n % 7}\nSize: ${n} m`,
    }));
    const documents = await put(rows);
    const corpusId = corpusIdOf(documents, 'hybrid', letters.id);
    const steps: IndexStep[] = [];
    do {
      if (steps.length > 0)
        await expect(openCorpus(world.runtime, corpusId)).rejects.toThrow(/no finished index/);
      steps.push(
        await indexCorpus(world.runtime, {
          documents,
          index: 'hybrid',
          owner: 'slow',
          deadline: world.runtime.clock.now(),
          encoder: () => Promise.resolve(letters),
        }),
      );
    } while (!steps.at(-1)!.done);
    expect(steps.length).toBeGreaterThan(5);
    const slow = await openCorpus(world.runtime, corpusId, () => Promise.resolve(letters));
    const other = await embeddedRuntime();
    try {
      const again = await writeJsonl(other.runtime.artifacts, 'in/docs.jsonl', rows);
      const whole = await indexCorpus(other.runtime, {
        documents: again,
        index: 'hybrid',
        owner: 'fast',
        encoder: () => Promise.resolve(letters),
      });
      expect(whole.corpusId).toBe(corpusId);
      const fast = await openCorpus(other.runtime, corpusId, () => Promise.resolve(letters));
      for (const query of ['shade 3', 'item 250', 'colour'])
        expect(await slow.search(query)).toEqual(await fast.search(query));
      expect([...slow.facts()]).toEqual([...fast.facts()]);
    } finally {
      await other.close();
    }
    expect((await world.runtime.artifacts.list({ prefix: `corpora/${corpusId}/build/` })).objects).toEqual(
      [],
    );
  });

  it('weighs meaning as told, and breaks ties by id', async () => {
    const corpus = await build(
      await put([
        { id: 'b', title: 'qqq', text: 'word' },
        { id: 'a', title: 'qqq', text: 'word' },
        { id: 'c', title: 'word', text: 'zzz zzz' },
      ]),
      'hybrid',
    );
    expect(corpus.info).toMatchObject({ index: 'hybrid', encoder: { id: 'letters@1', dims: 28 } });
    expect((await corpus.search('word', { semanticWeight: 0 })).map(({ url }) => url)).toEqual([
      'corpus://c',
      'corpus://a',
      'corpus://b',
    ]);
    const near = await corpus.search('zzzz word', { semanticWeight: 1 });
    expect(near[0]!.url).toBe('corpus://c');
    expect(near[0]!.score).toBe(1);
  });

  it('rejects lines that are no documents, naming line and fault, and refuses a corpus without any', async () => {
    const text = [
      '{"id": 1, "text": "Height: 3 m"}',
      '{oops',
      '[]',
      '{"id": 1, "text": "again"}',
      '',
      '{"title": "T"}',
      '{"text": 5}',
      '{"id": "x", "json": {"a": {"text": "b"}}}',
    ];
    const ref = await world.runtime.artifacts.put('in/mixed.jsonl', text.join('\n'));
    const corpus = await build({ key: 'in/mixed.jsonl', sha256: ref.sha256, bytes: ref.bytes });
    expect(corpus.info).toMatchObject({ documents: 2, rejects: 5 });
    const rejects: unknown[] = [];
    for await (const { value } of readJsonl(world.runtime.artifacts, corpus.info.rejected!))
      rejects.push(value);
    expect(rejects).toMatchObject([
      { line: 2, code: 'bad_json' },
      { line: 3, code: 'bad_json' },
      { line: 4, id: '1', code: 'duplicate_id' },
      { line: 6, code: 'no_text' },
      { line: 7, code: 'bad_field' },
    ]);
    expect(corpus.document('x')?.text).toBe('- a: b');
    await expect(build(await put([{ title: 'empty' }], 'in/none.jsonl'))).rejects.toThrow(
      /has no document \(line 1: None of text/,
    );
  });

  it('takes Markdown and HTML without their links', async () => {
    const corpus = await build(
      await put([
        {
          id: 'm',
          markdown: '# Pell\n\nSee [the lake](https://lakes.example/maren) or https://pell.example/x.',
        },
        {
          id: 'h',
          html: '<html><head><title>Vole</title></head><body><script>x()</script><p>Flows to <a href="https://sea.example">the sea</a>.</p></body></html>',
        },
      ]),
    );
    expect(corpus.document('m')).toEqual({
      id: 'm',
      title: 'Pell',
      text: '# Pell\n\nSee the lake or [link].',
    });
    expect(corpus.document('h')).toEqual({ id: 'h', title: 'Vole', text: 'Flows to the sea.' });
  });
});

describe('[deep-research 27] queries', () => {
  it('[deep-research 27] never error, whatever operators they hold', async () => {
    const corpus = await build(await put(LAKES));
    const syntax = fc.constantFrom(
      'AND',
      'OR',
      'NOT',
      'NEAR(',
      ')',
      '"',
      '""',
      "'",
      '*',
      '^',
      '-',
      '+',
      ':',
      '{title',
      '}',
      'title:',
      '\\',
      ';',
      '--',
      '\0',
      '\ud800',
      'lake',
      'orrin',
      ' ',
    );
    const query = fc.oneof(
      fc.array(syntax, { maxLength: 30 }).map((parts) => parts.join(' ')),
      fc.array(syntax).map((parts) => parts.join('')),
      anyText(500),
    );
    await fc.assert(
      fc.asyncProperty(query, async (text) => {
        const hits = await corpus.search(text);
        expect(hits.length).toBeLessThanOrEqual(10);
        expect(matchExpression(text) ?? '""').toMatch(/^"[^"]*"(?: OR "[^"]*")*$/);
      }),
      { numRuns: 400 },
    );
  });

  it('means words, not operators: NOT does not exclude', async () => {
    const corpus = await build(await put(LAKES));
    expect((await corpus.search('Orrin NOT Tessel')).map(({ url }) => url).sort()).toEqual([
      'corpus://lakes/orrin',
      'corpus://tessel',
    ]);
  });
});

describe('reading documents', () => {
  it('flattens JSON to headings and key-value lines', () => {
    expect(
      flattenJson({
        Geography: {
          Area: { total: { text: '28,748 sq km' }, land: 27398 },
          Location: { text: 'Southern\nEurope' },
        },
        Languages: ['Albanian', 'Greek', null],
        Ports: [{ name: 'Durres', depth: '9 m' }, { depth: '4 m' }],
        Nothing: null,
      }),
    ).toBe(
      '- Languages: Albanian; Greek\n\n## Geography\n- Location: Southern Europe\n\n### Area\n- total: 28,748 sq km\n- land: 27398\n\n## Ports\n\n### Durres\n- name: Durres\n- depth: 9 m\n\n### 2\n- depth: 4 m',
    );
  });

  it('survives any JSON, and any record', async () => {
    const converters = {
      ...documentConverters(),
      html: (html: string) => Promise.resolve({ markdown: html }),
    };
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 6 }), async (json) => {
        const value: unknown = JSON.parse(json);
        expect(flattenJson(value)).not.toMatch(/undefined|\[object/);
        const read = await documentOf({ id: 'x', json: value }, 1, converters);
        // A text is taken for JSON text.
        const codes = typeof value === 'string' ? ['no_text', 'bad_json'] : ['no_text'];
        if ('code' in read) expect(codes).toContain(read.code);
        else expect(read.text).not.toBe('');
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.record(
          {
            id: fc.anything(),
            url: fc.anything(),
            title: fc.anything(),
            text: fc.anything(),
            html: fc.anything(),
          },
          { requiredKeys: [] },
        ),
        async (record) => {
          const read = await documentOf(record, 7, converters);
          if ('code' in read)
            expect(read).toMatchObject({ line: 7, detail: expect.stringMatching(/./) as string });
          else expect(read.text.length * read.title.length * read.id.length).toBeGreaterThan(0);
        },
      ),
    );
    let deep: unknown = 'x';
    for (let depth = 0; depth < 5000; depth++) deep = { a: deep };
    expect(await documentOf({ json: deep }, 1, converters)).toMatchObject({ line: 1, code: 'bad_json' });
  });

  it('cuts passages of at most 180 words at line ends that cover the whole text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.boolean()), { maxLength: 25 }),
        (shape) => {
          const text = shape
            .map(
              ([words, heading], line) =>
                (heading ? '## ' : '') +
                Array.from({ length: words }, (_, n) => `w${line}x${n}${n % 17 === 16 ? '.' : ''}`).join(' '),
            )
            .join('\n');
          const passages = passagesOf(text);
          const words = (part: string): string[] => part.match(/\S+/g) ?? [];
          const seen = new Set(passages.flatMap(({ start, end }) => words(text.slice(start, end))));
          expect(words(text).every((word) => seen.has(word))).toBe(true);
          passages.forEach(({ start, end }, index) => {
            expect(words(text.slice(start, end)).length).toBeLessThanOrEqual(180);
            if (index > 0) expect(start).toBeGreaterThan(passages[index - 1]!.start);
          });
        },
      ),
    );
  });

  it('gives every id an address and takes it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => corpusIdIn(corpusUrl(id)) === id),
    );
    expect(corpusUrl('lakes/a b')).toBe('corpus://lakes/a%20b');
    expect(corpusIdIn('https://corpus.example/x')).toBeUndefined();
    expect(corpusIdIn('corpus://100%')).toBe('100%');
  });
});
