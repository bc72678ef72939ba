import type { ServerResponse } from 'node:http';

export interface Reply {
  status: number;
  headers: Record<string, string>;
  cookies?: string[];
  body: Buffer | string;
}

/** The gateway's own answers carry `{message}`, as API Gateway's. */
export const message = (status: number, text: string): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message: text }),
});

export const INTERNAL = message(500, 'Internal Server Error');

interface Structured {
  statusCode: number;
  headers?: Record<string, string | number | boolean>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

/**
 * What a handler's result is over HTTP (payload format 2.0): a value without `statusCode` is a 200 of its JSON; a
 * malformed structured one is the handler's fault.
 */
export function replyOf(result: unknown): Reply {
  if (typeof result !== 'object' || result === null || !('statusCode' in result)) {
    const body = JSON.stringify(result) as string | undefined;
    return { status: 200, headers: { 'content-type': 'application/json' }, body: body ?? '' };
  }
  const { statusCode, headers = {}, cookies = [], body = '', isBase64Encoded } = result as Structured;
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599 || typeof body !== 'string') return INTERNAL;
  const lower = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), String(value)] as const)
    .filter(([name]) => !name.startsWith('access-control-'));
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...Object.fromEntries(lower) },
    cookies,
    body: isBase64Encoded ? Buffer.from(body, 'base64') : body,
  };
}

/** Sends a reply; headers that HTTP cannot carry become a 500. */
export function send(
  response: ServerResponse,
  reply: Reply,
  extra: Record<string, string>,
  withBody: boolean,
): void {
  if (response.destroyed || response.headersSent) return;
  try {
    for (const [name, value] of Object.entries({ ...reply.headers, ...extra }))
      response.setHeader(name, value);
    if (reply.cookies?.length) response.setHeader('set-cookie', reply.cookies);
  } catch {
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    return send(response, INTERNAL, {}, withBody);
  }
  const bodiless = reply.status === 204 || reply.status === 304;
  if (!bodiless) response.setHeader('content-length', Buffer.byteLength(reply.body));
  response.statusCode = reply.status;
  response.end(withBody && !bodiless ? reply.body : undefined);
}
