import type { Json } from '#shared/storage/ports.ts';
import { FunctionError } from './errors.ts';

/** Payload of a state: 256 KiB of JSON text. */
export const STATE_PAYLOAD_BYTES = 262_144;
/** Payload of a synchronous invocation from elsewhere: 6 MiB. */
export const INVOKE_PAYLOAD_BYTES = 6 * 1024 * 1024;

/**
 * A value as the other side of an invocation sees it: through JSON text, so that nothing is shared and what has no
 * JSON form does not slip by. Undefined becomes null.
 * @throws FunctionError `States.DataLimitExceeded`, or Lambda's own names for the larger limit.
 */
export function throughJson(value: unknown, what: 'event' | 'result', maxBytes: number): Json {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new FunctionError(
      'Runtime.MarshalError',
      `The ${what} has no JSON form: ${(error as Error).message}`,
    );
  }
  if (text === undefined) return null;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw tooLarge(what, bytes, maxBytes);
  return JSON.parse(text) as Json;
}

function tooLarge(what: 'event' | 'result', bytes: number, maxBytes: number): FunctionError {
  const message = `The ${what} has ${bytes} bytes, the limit is ${maxBytes}: pass a reference to an artifact.`;
  if (maxBytes <= STATE_PAYLOAD_BYTES) return new FunctionError('States.DataLimitExceeded', message);
  return new FunctionError(
    what === 'event' ? 'Lambda.RequestTooLargeException' : 'Function.ResponseSizeTooLarge',
    message,
  );
}
