import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

/** A path or query that is no valid URL part: answered 400 before any handler sees it. */
export class MalformedRequest extends Error {}

/** What API Gateway passes on as text; everything else is base64. */
const TEXT_TYPE = /^(text\/|application\/(json|xml|javascript|ecmascript|problem\+json)|[^;]*\+(json|xml))/i;

/** Headers as API Gateway v2 gives them: lower-case names, repeated values joined by `,`, cookies apart. */
export function headersOf(raw: readonly string[]): { headers: Record<string, string>; cookies: string[] } {
  const headers = new Map<string, string>();
  const cookies: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    const value = raw[at + 1]!;
    if (name === 'cookie') cookies.push(...value.split(/;\s*/).filter(Boolean));
    else headers.set(name, headers.has(name) ? `${headers.get(name)},${value}` : value);
  }
  return { headers: Object.fromEntries(headers), cookies };
}

/** Query parameters, decoded, repeated values joined by `,`; undefined without any. */
export function queryOf(rawQueryString: string): Record<string, string> | undefined {
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    values.set(name, values.has(name) ? `${values.get(name)},${value}` : value);
  }
  return values.size === 0 ? undefined : Object.fromEntries(values);
}

/** Path and query of a request line. @throws MalformedRequest when the path cannot be decoded. */
export function targetOf(url: string): { rawPath: string; rawQueryString: string } {
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  if (!path.startsWith('/')) throw new MalformedRequest('The path does not start with "/".');
  try {
    return { rawPath: decodeURIComponent(path), rawQueryString: at < 0 ? '' : url.slice(at + 1) };
  } catch {
    throw new MalformedRequest('The path is not percent-encoded UTF-8.');
  }
}

export interface RouteMatch {
  routeKey: string;
  pathParameters?: Record<string, string>;
}

/** The API Gateway v2 proxy event (payload format 2.0) of an HTTP request. */
export function requestEvent(
  request: Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders' | 'httpVersion'> & {
    remoteAddress?: string;
  },
  body: Buffer,
  details: { requestId: string; now: number; route: RouteMatch },
): APIGatewayProxyEventV2 {
  const { headers, cookies } = headersOf(request.rawHeaders);
  const { rawPath, rawQueryString } = targetOf(request.url ?? '/');
  const query = queryOf(rawQueryString);
  const type = headers['content-type'];
  const asText = (type === undefined || TEXT_TYPE.test(type)) && isUtf8(body);
  const { routeKey, pathParameters } = details.route;
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString,
    ...(cookies.length > 0 ? { cookies } : {}),
    headers,
    ...(query ? { queryStringParameters: query } : {}),
    ...(pathParameters ? { pathParameters } : {}),
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      domainName: headers['host'] ?? 'localhost',
      domainPrefix: 'local',
      http: {
        method: request.method ?? 'GET',
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.remoteAddress ?? '127.0.0.1',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: details.requestId,
      routeKey,
      stage: '$default',
      time: new Date(details.now).toUTCString(),
      timeEpoch: details.now,
    },
    ...(body.length > 0 ? { body: asText ? body.toString('utf8') : body.toString('base64') } : {}),
    isBase64Encoded: body.length > 0 && !asText,
  };
}
