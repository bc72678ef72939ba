import { EventStreamCodec } from '@smithy/core/event-streams';

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text),
);
const text = (value: string) => ({ type: 'string' as const, value });

export const EVENT_STREAM_TYPE = 'application/vnd.amazon.eventstream';

/** One frame of model output. */
export function payloadPart(body: Uint8Array): Uint8Array {
  return codec.encode({
    headers: {
      ':message-type': text('event'),
      ':event-type': text('PayloadPart'),
      ':content-type': text('application/octet-stream'),
    },
    body,
  });
}

/** The frame that ends a stream in an error. */
export function exceptionFrame(
  type: 'ModelStreamError' | 'InternalStreamFailure',
  members: { Message: string; ErrorCode?: string },
): Uint8Array {
  return codec.encode({
    headers: {
      ':message-type': text('exception'),
      ':exception-type': text(type),
      ':content-type': text('application/json'),
    },
    body: Buffer.from(JSON.stringify(members)),
  });
}
