import { zstdDecompressSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { datasetCard } from '#functions/dataset-synthesis/output/card.ts';
import { parquetBytes, type ExportRecord } from '#functions/dataset-synthesis/output/parquet.ts';
import { RejectTally } from '#functions/dataset-synthesis/output/rejects.ts';
import { SynthesisInputSchema } from '#functions/dataset-synthesis/records.ts';

const record = (answer: string, more: Partial<ExportRecord> = {}): ExportRecord => ({
  qaId: 'q1',
  question: 'Which is it?',
  answer,
  answerType: 'phrase',
  answerKey: answer,
  answerAliases: [],
  domain: 'Math',
  persona: 'p',
  docId: 'd1',
  sourceUri: 'u',
  licence: 'MIT',
  flags: [],
  origin: 'model',
  provenance: [],
  ...more,
});

async function throughParquet(records: ExportRecord[]): Promise<ExportRecord[]> {
  async function* stream(): AsyncGenerator<ExportRecord> {
    yield* records;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of parquetBytes(stream(), true)) chunks.push(chunk);
  const bytes = Uint8Array.from(Buffer.concat(chunks)).buffer;
  const rows = await parquetReadObjects({
    file: { byteLength: bytes.byteLength, slice: (a, b) => bytes.slice(a, b) },
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
  });
  const bare = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(bare)
      : value !== null && typeof value === 'object'
        ? Object.fromEntries(
            Object.entries(value)
              .filter(([, item]) => item !== null && item !== undefined)
              .map(([key, item]) => [key, bare(item)]),
          )
        : value;
  return rows.map((row) => bare(row) as ExportRecord);
}

test('[dataset-synthesis 6] answers survive JSONL, Parquet and JSONL byte for byte', async () => {
  const answers = ['007', '3.10', '\\alpha', '\u{1f309} bridge', 'two\nlines', '"quoted"', ''];
  const records = answers.map((answer) => JSON.parse(JSON.stringify(record(answer))) as ExportRecord);
  const back = await throughParquet(records);
  expect(back.map((row) => JSON.stringify(row))).toEqual(records.map((row) => JSON.stringify(row)));
});

test('lists, structs and absent fields come back as they were', async () => {
  const full = record('x', {
    answerAliases: ['a', 'b\u0000c'],
    evidence: { quote: 'q', charStart: 3, charEnd: 4 },
    title: 't',
    flags: ['leak-suspect'],
    provenance: [{ stage: 'filter', provider: 'openai', model: 'm', roleVersion: 'v', callId: 'c' }],
    sourceText: 'text',
  });
  expect(await throughParquet([full, record('y'), full])).toEqual([full, record('y'), full]);
  expect(await throughParquet([])).toEqual([]);
  const many = Array.from({ length: 2500 }, (_, n) => record(`answer ${n}`));
  expect(await throughParquet(many)).toEqual(many);
});

test('any text survives', async () => {
  const text = fc.string({ unit: 'grapheme' });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(text, fc.array(text)), { minLength: 1, maxLength: 5 }),
      async (drawn) => {
        const records = drawn.map(([answer, answerAliases]) => record(answer, { answerAliases }));
        expect(await throughParquet(records)).toEqual(records);
      },
    ),
    { numRuns: 40 },
  );
});

test('the card keeps hostile attributions from being markup', () => {
  const input = SynthesisInputSchema.parse({
    sources: [{ uri: 'x' }],
    output: { title: 'A\n---\nlicense: mit' },
  });
  const models = { filter: 'm', identify: 'm', generate: 'm', check: 'm' };
  const builtin = { filter: false, identify: false, generate: true, check: false };
  const attribution = '<script>|x|</script>\n# Head';
  const none = { planned: 0, ok: 0, rejected: 0, failed: 0, pending: 0 };
  const curation = {
    generate: none,
    check: none,
    lost: 0,
    judged: 2,
    byLicence: { 'CC-BY-4.0': 2 },
    byLanguage: { en: 2 },
    records: 2,
    attributions: [{ licence: 'CC-BY-4.0', attribution, records: 2 }],
  };
  const card = datasetCard(
    { input, models, builtin, configHash: 'c' } as never,
    { curation } as never,
    new RejectTally(),
    [],
    [],
  );
  expect(card.startsWith('---\npretty_name: "A --- license: mit"\nlicense: "cc-by-4.0"\n')).toBe(true);
  expect(card).toContain('\\<script\\>\\|x\\|');
  expect(card).not.toMatch(/^# Head/m);
  expect(card).toContain('builtin algorithms');
});
