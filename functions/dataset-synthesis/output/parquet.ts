import { constants, zstdCompressSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, parquetWriteRows, type Writer } from 'hyparquet-writer';
import { Channel } from '../io.ts';
import type { QaRecord } from '../records.ts';

/** Records as Parquet: ZSTD, UTF-8 strings, lists and structs as such, one row group a thousand records. */

export type ExportRecord = QaRecord & { sourceText?: string };

const ROWS_A_GROUP = 1000;

const text = (name: string, required = false): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
  repetition_type: required ? 'REQUIRED' : 'OPTIONAL',
});
const int = (name: string): SchemaElement => ({ name, type: 'INT32', repetition_type: 'OPTIONAL' });
const group = (name: string, children: number): SchemaElement => ({
  name,
  num_children: children,
  repetition_type: 'OPTIONAL',
});
/** The three-level list of the Parquet format specification. */
const list = (name: string, ...element: SchemaElement[]): SchemaElement[] => [
  {
    name,
    num_children: 1,
    converted_type: 'LIST',
    logical_type: { type: 'LIST' },
    repetition_type: 'OPTIONAL',
  },
  { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
  ...element,
];

/** Columns in record order; the elements of each, parents before children. */
const COLUMNS: [name: keyof ExportRecord, elements: SchemaElement[]][] = [
  ['qaId', [text('qaId', true)]],
  ['question', [text('question', true)]],
  ['answer', [text('answer', true)]],
  ['answerType', [text('answerType', true)]],
  ['answerKey', [text('answerKey', true)]],
  ['answerAliases', list('answerAliases', text('element'))],
  ['domain', [text('domain', true)]],
  ['persona', [text('persona', true)]],
  ['context', [text('context')]],
  ['evidence', [group('evidence', 3), text('quote'), int('charStart'), int('charEnd')]],
  ['docId', [text('docId', true)]],
  ['sourceId', [text('sourceId')]],
  ['sourceUri', [text('sourceUri', true)]],
  ['title', [text('title')]],
  ['licence', [text('licence', true)]],
  ['attribution', [text('attribution')]],
  ['lang', [text('lang')]],
  ['flags', list('flags', text('element'))],
  ['origin', [text('origin', true)]],
  [
    'provenance',
    list(
      'provenance',
      group('element', 5),
      text('stage'),
      text('provider'),
      text('model'),
      text('roleVersion'),
      text('callId'),
    ),
  ],
  ['sourceText', [text('sourceText')]],
];

/** The bytes of a Parquet file of the records, as a stream: one row group is held at a time. */
export function parquetBytes(
  records: AsyncIterable<ExportRecord>,
  withText: boolean,
): AsyncIterable<Uint8Array> {
  const columns = COLUMNS.filter(([name]) => withText || name !== 'sourceText');
  const schema: SchemaElement[] = [
    { name: 'schema', num_children: columns.length },
    ...columns.flatMap(([, elements]) => elements),
  ];
  const chunks = new Channel<Uint8Array>();
  const written = Promise.resolve(
    parquetWriteRows({
      writer: channelWriter(chunks),
      rows: records,
      columns: columns.map(([name]) => ({ name })),
      schema,
      codec: 'ZSTD',
      compressors: {
        ZSTD: (input) => zstdCompressSync(input, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }),
      },
      rowGroupSize: ROWS_A_GROUP,
      createdBy: 'agentmill',
    }),
  );
  written.then(
    () => chunks.close(),
    (error: unknown) => chunks.close(error),
  );
  return chunks;
}

/** A hyparquet-writer sink that hands each row group's bytes on as soon as they are complete. */
function channelWriter(chunks: Channel<Uint8Array>): Writer {
  const writer = new ByteWriter() as ByteWriter & Writer & { index: number };
  const flush = (): Promise<void> => {
    const bytes = new Uint8Array(writer.buffer.slice(0, writer.index));
    writer.index = 0;
    return bytes.length === 0 ? Promise.resolve() : chunks.push(bytes);
  };
  return Object.assign(writer, { flush, finish: flush });
}
