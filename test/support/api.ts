import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type { ApiHandler } from '#functions/api/create-api.ts';
import { withRuntime, type Runtime } from '#shared/task/runtime.ts';

/** Calls of the API as API Gateway makes them, for tests. */

export interface Call {
  method?: string;
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Sent as JSON; a text as it is. */
  body?: unknown;
  base64?: boolean;
  authorizer?: unknown;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Parsed, where it is JSON. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into any answer
  body: any;
}

export type Client = (call: Call) => Promise<Answer>;

/** What API Gateway's JWT authoriser adds. */
export const jwt = (sub: string, scopes = ['jobs:read', 'jobs:write'], iss = 'https://id.example.com') => ({
  jwt: { claims: { iss, sub, scope: scopes.join(' ') }, scopes },
});
export const iam = (accountId: string, callerId: string) => ({
  iam: {
    accountId,
    callerId,
    userArn: `arn:aws:sts::${accountId}:assumed-role/r/s`,
    userId: callerId,
    accessKey: 'x',
  },
});

/** An event in API Gateway's payload format 2.0. */
export function gatewayEvent(call: Call): APIGatewayProxyEventV2 {
  const { method = 'GET', path, query = {}, headers = {} } = call;
  const text =
    call.body === undefined || typeof call.body === 'string' ? call.body : JSON.stringify(call.body);
  const body = text !== undefined && call.base64 ? Buffer.from(text as string).toString('base64') : text;
  const isObject = typeof call.body === 'object';
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: new URLSearchParams(query).toString(),
    headers: {
      host: 'api.example.com',
      ...(isObject ? { 'Content-Type': 'application/json' } : {}),
      ...headers,
    },
    ...(Object.keys(query).length > 0 ? { queryStringParameters: query } : {}),
    requestContext: {
      accountId: '000000000000',
      apiId: 'api',
      domainName: 'api.example.com',
      domainPrefix: 'api',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' },
      requestId: 'request-1',
      routeKey: '$default',
      stage: '$default',
      time: '01/Jan/2026:00:00:00 +0000',
      timeEpoch: 1767225600000,
      ...(call.authorizer === undefined ? {} : { authorizer: call.authorizer }),
    } as APIGatewayProxyEventV2['requestContext'],
    isBase64Encoded: call.base64 ?? false,
    ...(body === undefined ? {} : { body: body as string }),
  };
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** A client that hands events straight to the handler. */
export function eventClient(handler: ApiHandler, runtime: Runtime): Client {
  return async (call) => {
    const result = await withRuntime(runtime, () => handler(gatewayEvent(call)));
    const headers = Object.entries(result.headers ?? {}).map(([name, value]) => [
      name.toLowerCase(),
      String(value),
    ]);
    return {
      status: result.statusCode ?? 200,
      headers: Object.fromEntries(headers) as Record<string, string>,
      body: result.body === undefined ? undefined : parsed(result.body),
    };
  };
}

/** A client that speaks HTTP to a server. */
export function httpClient(url: string): Client {
  return async ({ method = 'GET', path, query = {}, headers = {}, body }) => {
    const target = new URL(path, url);
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
    const json = body !== undefined && typeof body !== 'string';
    const response = await fetch(target, {
      method,
      headers: { ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : (body as string) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: text === '' ? undefined : parsed(text),
    };
  };
}
