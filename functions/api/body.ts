import type { MiddlewareObj } from '@middy/core';
import jsonBodyParser from '@middy/http-json-body-parser';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { ProblemError } from '#shared/task/problems.ts';

/** Bodies: bounded in size and depth before anything else looks at them. */

export const MAX_BODY_BYTES = 256 * 1024;
export const MAX_BODY_DEPTH = 32;

type Middleware = MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error>;

const textOf = ({ body, isBase64Encoded }: APIGatewayProxyEventV2): string | undefined =>
  body === undefined || body === null || body === ''
    ? undefined
    : isBase64Encoded
      ? Buffer.from(body, 'base64').toString('utf8')
      : body;

/** @throws ProblemError `payload-too-large` */
export const sizeCheck = (): Middleware => ({
  before({ event }) {
    const bytes = Buffer.byteLength(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
    if (bytes <= MAX_BODY_BYTES) return;
    const detail = `The body has ${bytes} bytes, the limit is ${MAX_BODY_BYTES}: upload what is large and name it.`;
    throw new ProblemError('payload-too-large', detail);
  },
});

/** Parses JSON bodies; requests without one pass. @throws ProblemError; middy's own errors for media types and syntax. */
export function bodyParser(): Middleware {
  const parser = jsonBodyParser() as Middleware;
  return {
    async before(request) {
      const text = textOf(request.event);
      if (text === undefined) {
        delete request.event.body;
        return;
      }
      if (depthOf(text) > MAX_BODY_DEPTH) {
        throw new ProblemError('malformed-json', `The body nests deeper than ${MAX_BODY_DEPTH} levels.`);
      }
      await parser.before!(request);
    },
  };
}

/** The nesting of JSON text, found without parsing it; text that is no JSON gives any number. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 0x5c) i++;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x7b || char === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (char === 0x7d || char === 0x5d) depth--;
  }
  return deepest;
}
