import { group, int, list, parquetStream, text, type ParquetColumn } from '#shared/storage/parquet.ts';
import type { QaRecord } from '../records.ts';

/** Records as Parquet. */

export type ExportRecord = QaRecord & { sourceText?: string };

/** Columns in record order. */
const COLUMNS: (ParquetColumn & [keyof ExportRecord, unknown])[] = [
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
export const parquetBytes = (
  records: AsyncIterable<ExportRecord>,
  withText: boolean,
): AsyncIterable<Uint8Array> =>
  parquetStream(
    records,
    COLUMNS.filter(([name]) => withText || name !== 'sourceText'),
  );
