import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keysOf } from '#functions/dataset-synthesis/keys.ts';
import { SynthesisInputSchema, type Document, type Reject } from '#functions/dataset-synthesis/records.ts';
import { bounded, rejectOf } from '#functions/dataset-synthesis/rejects.ts';
import { fieldsOf } from '#functions/dataset-synthesis/sources/fields.ts';
import { indexSegment } from '#functions/dataset-synthesis/sources/index-segment.ts';
import { splitPassages } from '#functions/dataset-synthesis/sources/passages.ts';
import { formatOfBytes, planSources } from '#functions/dataset-synthesis/sources/plan.ts';
import { countTokens } from '#shared/text/tokens.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { bridge, jsonl } from './bridges.ts';

let host: TestRuntime;
beforeEach(async () => {
  host = await embeddedRuntime();
});
afterEach(() => host.close());

const keys = keysOf('dataset-synthesis.aaaaaaaaaaaaaaaaaaaaaaaaaa');

interface Indexed {
  documents: Document[];
  rejects: Reject[];
  segments: number;
}

/** Plans and indexes files, as the two tasks do. */
async function index(
  files: Record<string, string | Uint8Array | AsyncIterable<Uint8Array>>,
  input: Record<string, unknown> = {},
): Promise<Indexed> {
  const { runtime } = host;
  for (const [key, body] of Object.entries(files)) await runtime.artifacts.put(`src/${key}`, body);
  const parsed = SynthesisInputSchema.parse({ sources: [{ uri: 'src/' }], ...input });
  const config = { jobId: 'job', input: parsed, configHash: 'c' } as never;
  const plan = await planSources(parsed.sources, runtime, keys);
  const documents: Document[] = [];
  const rejects = plan.rejects.map((draft) => rejectOf('job', 'index', draft));
  for (const segment of plan.segments) {
    const done = await indexSegment(segment, config, runtime, keys, undefined);
    for (let part = 0; part < done.parts; part++) {
      const key = keys.documents(`${segment.segment}-${String(part).padStart(5, '0')}`);
      for await (const { value } of readJsonl(runtime.artifacts, key)) documents.push(value as Document);
    }
    for await (const { value } of readJsonl(runtime.artifacts, keys.segmentRejects(segment.segment)))
      rejects.push(value as Reject);
  }
  return { documents, rejects, segments: plan.segments.length };
}

const codes = ({ rejects }: Indexed): string[] => rejects.map(({ code, source }) => `${source.line} ${code}`);

describe('formats', () => {
  test('one corpus reads alike as JSONL, gzip, Parquet and text files', async () => {
    const records = [1, 2, 3].map((n) => bridge(n));
    const { documents: lines } = await index({ 'a.jsonl': jsonl(records) });
    expect(lines).toMatchObject([
      {
        sourceId: 'b1',
        title: 'Bircharch Bridge',
        licence: 'CC0-1.0',
        sourceUri: 'https://bridges.example/1',
      },
      {},
      {},
    ]);
    const columns = ['id', 'title', 'text', 'licence', 'url'] as const;
    const parquet = parquetWriteBuffer({
      columnData: columns.map((name) => ({ name, data: records.map((r) => r[name]), type: 'STRING' })),
      rowGroupSize: 2,
    });
    const text = Object.fromEntries(
      records.flatMap((r) => [
        [`d/${r.id}.txt`, r.text],
        [`d/${r.id}.meta.json`, JSON.stringify({ title: r.title, licence: r.licence, id: r.id, url: r.url })],
      ]),
    );
    await host.close();
    for (const files of [
      { 'a.jsonl.gz': gzipSync(jsonl(records)) },
      { 'a.parquet': new Uint8Array(parquet) },
      text,
    ]) {
      host = await embeddedRuntime();
      const { documents, rejects } = await index(files);
      expect(rejects).toEqual([]);
      expect(documents.map(({ position: _, ...rest }) => rest)).toEqual(
        lines.map(({ position: _, ...rest }) => rest),
      );
      await host.close();
    }
    host = await embeddedRuntime();
  });

  test('a text file is titled by its heading, else by its name', async () => {
    const body = bridge(1).text;
    const { documents } = await index({
      'old bridge.md': `# The old bridge #\n\n${body}`,
      'stone.txt': body.replace('stone', 'brick'),
    });
    expect(documents.map(({ title }) => title)).toEqual(['The old bridge', 'stone']);
  });

  test('magic bytes tell what an extension does not', () => {
    expect(formatOfBytes(gzipSync('x'))).toBe('jsonl.gz');
    expect(formatOfBytes(Buffer.from('PAR1xxxx'))).toBe('parquet');
    expect(formatOfBytes(Buffer.from('\ufeff {"a":1}'))).toBe('jsonl');
    expect(formatOfBytes(Buffer.from('plain'))).toBeUndefined();
  });
});

describe('bad input', () => {
  test('every fault names its file, line and offset, and the rest is read', async () => {
    const good = JSON.stringify(bridge(1));
    const latin = Buffer.concat([Buffer.from('{"text":"caf'), Buffer.of(0xe9), Buffer.from('"}')]);
    const body = Buffer.concat([
      Buffer.from(`${good}\n{"text": oops}\n[1,2]\n\n{"title":"no text"}\n{"text":"   "}\n`),
      latin,
      Buffer.from(`\n${JSON.stringify(bridge(2))}`),
    ]);
    const found = await index({ 'mixed.jsonl': body, 'empty.jsonl': '', 'odd.bin': 'plain words' });
    expect(codes(found)).toEqual([
      '1 EMPTY_SOURCE',
      '1 UNREADABLE_SOURCE',
      '2 MALFORMED_LINE',
      '3 MALFORMED_LINE',
      '5 MISSING_TEXT',
      '6 MISSING_TEXT',
      '7 NOT_UTF8',
    ]);
    expect(found.rejects.at(-1)).toMatchObject({
      source: { uri: 'src/mixed.jsonl', byteStart: body.indexOf(latin) },
      evidence: { byteOffset: body.indexOf(latin) + 12 },
    });
    expect(found.documents.map(({ sourceId }) => sourceId)).toEqual(['b1', 'b2']);
  });

  test('a missing source is InvalidInput naming the field', async () => {
    const sources = SynthesisInputSchema.parse({ sources: [{ uri: 'nowhere/' }] }).sources;
    await expect(planSources(sources, host.runtime, keys)).rejects.toMatchObject({
      name: 'InvalidInput',
      problems: [{ pointer: '/sources/0/uri' }],
    });
  });

  test('broken gzip and Parquet are rejected, what came before is kept', async () => {
    const records = Array.from({ length: 50 }, (_, n) => bridge(n));
    const whole = gzipSync(jsonl(records), { level: 0 });
    const found = await index({
      'cut.jsonl.gz': whole.subarray(0, whole.length - 2000),
      'bad.parquet': `PAR1${'x'.repeat(100)}PAR1`,
    });
    expect(found.rejects.map(({ code }) => code).sort()).toEqual(['UNREADABLE_SOURCE', 'UNREADABLE_SOURCE']);
    expect(found.documents.length).toBeGreaterThan(20);
  });

  test('a gzip bomb is stopped by its ratio', async () => {
    const { documents, rejects } = await index({
      'bomb.jsonl.gz': gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')),
    });
    expect(documents).toEqual([]);
    expect(rejects).toMatchObject([
      { code: 'UNREADABLE_SOURCE', evidence: { error: expect.stringContaining('100 times') } },
    ]);
  });

  test('[dataset-synthesis 20] a 50 MB line is passed over within 64 MB of memory', async () => {
    // What is loaded once, and what waits to be collected, is not what a line takes.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await index({ 'small.jsonl': jsonl([bridge(1), bridge(2)]) });
    await host.close();
    host = await embeddedRuntime();

    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`${JSON.stringify(bridge(1))}\n{"text":"`);
      const block = Buffer.alloc(65_536, 'a');
      for (let i = 0; i < 800; i++) yield block;
      yield Buffer.from(`"}\n${JSON.stringify(bridge(2))}\n`);
    }
    await host.runtime.artifacts.put('src/huge.jsonl', body());
    const LIMIT = 64 * 1024 * 1024;
    collect();
    const idle = process.memoryUsage().rss;
    let peak = idle;
    const measure = (): void => {
      if (process.memoryUsage().rss - idle > LIMIT) collect();
      peak = Math.max(peak, process.memoryUsage().rss);
    };
    const timer = setInterval(measure, 5);
    const found = await index({});
    clearInterval(timer);
    expect(codes(found)).toEqual(['2 DOCUMENT_TOO_LARGE']);
    expect(found.documents).toHaveLength(2);
    measure();
    expect(peak - idle).toBeLessThan(LIMIT);
  });
});

describe('length', () => {
  test('[dataset-synthesis 20] 30,000 tokens become passages of at most 6,000, cut at paragraphs', async () => {
    const paragraph = `${bridge(1).text} ${bridge(2).text}`;
    let text = '';
    for (let n = 0; countTokens(text) < 30_000; n += 10) {
      text += Array.from({ length: 10 }, (_, i) => `Paragraph ${n + i}. ${paragraph}\n\n`).join('');
    }
    const { documents, rejects } = await index(
      { 'long.jsonl': jsonl([{ id: 'long', text }]) },
      { documents: { maxPassages: 4 } },
    );
    expect(documents).toHaveLength(4);
    for (const { tokens, text: body, passage } of documents) {
      expect(tokens).toBeLessThanOrEqual(6000);
      expect(tokens).toBeGreaterThan(5000);
      expect(body).toMatch(/^Paragraph \d+\./);
      expect(text.trim().slice(passage!.charStart, passage!.charEnd)).toBe(body);
    }
    expect(rejects.map(({ code }) => code)).toEqual(['PASSAGE_LIMIT']);
    expect((await index({}, { documents: { long: 'reject' } })).rejects.map(({ code }) => code)).toEqual([
      'DOCUMENT_TOO_LONG',
    ]);
  });

  test('passages cover all of any text, in order, within the limit', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom('One two three. ', 'Word', '\n\n', ' ', '\u{1f600}', 'x'.repeat(40), 'End! '),
        ),
        fc.integer({ min: 1, max: 12 }),
        (parts, max) => {
          const text = parts.join('');
          let end = 0;
          let covered = '';
          for (const passage of splitPassages(text, max)) {
            expect(passage.charStart).toBeGreaterThanOrEqual(end);
            end = passage.charEnd;
            const body = text.slice(passage.charStart, passage.charEnd);
            // A single character may have more tokens than a tiny limit.
            if ([...body].length > 1) expect(countTokens(body)).toBeLessThanOrEqual(max);
            covered += body;
          }
          expect(covered.replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
        },
      ),
    );
  });
});

describe('hostile records', () => {
  test('any bytes at all are documents or rejects, never a fault of the task', async () => {
    const line = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record({ text: fc.anything(), title: fc.anything(), id: fc.anything() })
        .map((r) => JSON.stringify(r, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)) ?? ''),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 8 }),
        fc.uint8Array({ maxLength: 40 }),
        async (lines, tail) => {
          await index(
            { 'fuzz.jsonl': Buffer.concat([Buffer.from(lines.join('\n')), tail, Buffer.from('\n{}')]) },
            { documents: { minTokens: 1 } },
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  test('fields: aliases by order, own column names, meta within 4 KiB', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (record) => {
        const { meta } = fieldsOf(record, {});
        expect(Buffer.byteLength(JSON.stringify(meta))).toBeLessThanOrEqual(4096);
      }),
    );
    const record = {
      body: 'b',
      content: 'c',
      name: 'n',
      _id: 7,
      source: 's',
      license: 'MIT',
      language: 'en-GB',
      page: 3,
    };
    expect(fieldsOf(record, {})).toEqual({
      text: 'c',
      title: 'n',
      id: '7',
      uri: 's',
      licence: 'MIT',
      lang: 'en-GB',
      meta: { body: 'b', page: 3 },
    });
    expect(fieldsOf(record, { fields: { text: 'body' } }).text).toBe('b');
    expect(
      fieldsOf({ text: 'x', ['__proto__']: 'y', big: 'z'.repeat(5000) } as never, {}).meta,
    ).toMatchObject({ _omitted: 1 });
  });

  test('rejects stay below 4 KiB whatever the evidence', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything()),
        fc.string({ maxLength: 5000 }),
        (evidence, question) => {
          const reject = rejectOf('job', 'check', {
            code: 'PII',
            source: { uri: 'u', line: 1, byteStart: 0 },
            evidence: bounded(evidence),
            question,
            answer: question,
          });
          expect(Buffer.byteLength(JSON.stringify(reject))).toBeLessThanOrEqual(4096);
        },
      ),
    );
  });
});
