import type { Json } from '#shared/storage/ports.ts';
import { evaluate, evaluateAs, resultTypes, type MapState, type Scope } from '../language/index.ts';

export type ReaderState = NonNullable<NonNullable<MapState['distributed']>['reader']>;

/** An `ItemReader` whose expressions are evaluated: plain data, to be kept with the map run. */
export interface ReaderOptions {
  resource: ReaderState['resource'];
  inputType?: 'JSON' | 'JSONL' | 'CSV';
  itemsPointer?: string;
  csvHeaders?: string[];
  csvDelimiter?: NonNullable<ReaderState['csvDelimiter']>;
  transformation?: 'NONE' | 'LOAD_AND_FLATTEN';
  maxItems?: number;
}

/**
 * Evaluates the expressions of an `ItemReader`.
 * @throws EvaluationFailure
 */
export async function readerOptions(
  reader: ReaderState,
  scope: Scope,
): Promise<{ options: ReaderOptions; arguments: Json }> {
  const evaluated = await evaluate(reader.arguments, scope);
  const pointer = reader.itemsPointer && (await evaluateAs(resultTypes.text, reader.itemsPointer, scope));
  const maxItems = reader.maxItems && (await evaluateAs(resultTypes.maxItems, reader.maxItems, scope));
  const options: ReaderOptions = { resource: reader.resource };
  if (reader.inputType) options.inputType = reader.inputType;
  if (pointer !== undefined) options.itemsPointer = pointer;
  if (reader.csvHeaders) options.csvHeaders = reader.csvHeaders;
  if (reader.csvDelimiter) options.csvDelimiter = reader.csvDelimiter;
  if (reader.transformation) options.transformation = reader.transformation;
  if (maxItems !== undefined) options.maxItems = maxItems;
  return { options, arguments: evaluated };
}
