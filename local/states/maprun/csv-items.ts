import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { Json } from '#shared/storage/ports.ts';

export const CSV_DELIMITERS = { COMMA: ',', PIPE: '|', SEMICOLON: ';', SPACE: ' ', TAB: '\t' } as const;

export interface CsvOptions {
  /** Names of the columns; the first row's where absent. */
  headers?: readonly string[];
  delimiter?: keyof typeof CSV_DELIMITERS;
}

/** Longest row, in characters. */
const MAX_ROW_CHARACTERS = 16 * 1024 * 1024;

/** A row that is not CSV; the message names the line. */
export class CsvTextError extends Error {
  override readonly name = 'CsvTextError';
}

/**
 * The rows of a CSV text (RFC 4180) as objects of texts, read in a stream. A byte order mark is dropped and empty
 * lines are passed over; a row's missing values are empty texts and values beyond the headers are dropped, as in the
 * service.
 * @throws CsvTextError naming the line
 */
export async function* csvItems(
  body: AsyncIterable<Uint8Array>,
  { headers, delimiter = 'COMMA' }: CsvOptions = {},
): AsyncGenerator<{ value: Json }> {
  const parser = parse({
    bom: true,
    delimiter: CSV_DELIMITERS[delimiter],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_CHARACTERS,
  });
  const source = Readable.from(body);
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  let names = headers;
  try {
    for await (const row of parser as AsyncIterable<string[]>) {
      if (names === undefined) names = row;
      else yield { value: Object.fromEntries(names.map((name, column) => [name, row[column] ?? ''])) };
    }
  } catch (error) {
    if (error instanceof CsvError) throw new CsvTextError(error.message);
    throw error;
  } finally {
    source.destroy();
    parser.destroy();
  }
}
