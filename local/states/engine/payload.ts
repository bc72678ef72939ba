import type { Json } from '#shared/storage/ports.ts';
import { DATA_LIMIT_EXCEEDED, StateFailed } from './failure.ts';

/** A JSON value together with its text, so that it is printed once on its way through events, frames and limits. */
export interface Payload {
  value: Json;
  text: string;
}

/** Largest input, output, argument, result and variable, in UTF-8 bytes of JSON text. */
export const MAX_PAYLOAD_BYTES = 262_144;
/** All variables of an execution together. */
export const MAX_VARIABLES_BYTES = 10 * 1024 * 1024;

export const payload = (value: Json): Payload => ({ value, text: JSON.stringify(value) });
export const parsePayload = (text: string): Payload => ({ value: JSON.parse(text) as Json, text });

export const EMPTY: Payload = { value: {}, text: '{}' };

/** Whether a text is longer than `limit` UTF-8 bytes; short texts are decided without counting. */
export function exceeds(text: string, limit: number = MAX_PAYLOAD_BYTES): boolean {
  if (text.length > limit) return true;
  return text.length * 3 > limit && Buffer.byteLength(text) > limit;
}

/** @throws StateFailed with `States.DataLimitExceeded` when the payload is over 256 KiB */
export function limited(value: Payload, stateName: string, what: 'result' | 'input' | 'output'): Payload {
  if (!exceeds(value.text)) return value;
  const verb =
    what === 'input' ? 'received an input' : what === 'output' ? 'produced an output' : 'returned a result';
  throw new StateFailed({
    error: DATA_LIMIT_EXCEEDED,
    cause: `The state/task '${stateName}' ${verb} with a size exceeding the maximum number of bytes service limit.`,
  });
}
