import { constants, zstdCompressSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, parquetWriteRows, type Writer } from 'hyparquet-writer';
import { Channel } from './channel.ts';

/** Rows as Parquet: ZSTD, UTF-8 strings, lists and structs as such, one row group a thousand rows. */

const ROWS_A_GROUP = 1000;

/** A column: its name, and its schema elements, parents before children. */
export type ParquetColumn = [name: string, elements: SchemaElement[]];

export const text = (name: string, required = false): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
  repetition_type: required ? 'REQUIRED' : 'OPTIONAL',
});

export const int = (name: string): SchemaElement => ({ name, type: 'INT32', repetition_type: 'OPTIONAL' });

export const group = (name: string, children: number): SchemaElement => ({
  name,
  num_children: children,
  repetition_type: 'OPTIONAL',
});

/** The three-level list of the Parquet format specification. */
export const list = (name: string, ...element: SchemaElement[]): SchemaElement[] => [
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

/** The bytes of a Parquet file of the rows, as a stream: one row group is held at a time. */
export function parquetStream(
  rows: AsyncIterable<object> | Iterable<object>,
  columns: readonly ParquetColumn[],
): AsyncIterable<Uint8Array> {
  const schema: SchemaElement[] = [
    { name: 'schema', num_children: columns.length },
    ...columns.flatMap(([, elements]) => elements),
  ];
  const chunks = new Channel<Uint8Array>();
  const written = Promise.resolve(
    parquetWriteRows({
      writer: channelWriter(chunks),
      rows: rows as AsyncIterable<Record<string, unknown>>,
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
