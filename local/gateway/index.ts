import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomIds } from '#shared/determinism/ids.ts';
import { type CorsConfiguration, originHeaders, preflightHeaders } from './cors.ts';
import { isAuthorised, isForeignWrite, isLoopback, isLoopbackHost } from './guard.ts';
import { isObjectPath, type ObjectAccess, serveObject } from './objects.ts';
import { MalformedRequest, requestEvent, type RouteMatch, targetOf } from './request-event.ts';
import { INTERNAL, message, type Reply, replyOf, send } from './respond.ts';
import { type GatewayRoute, routeMatcher } from './routes.ts';

export type { CorsConfiguration } from './cors.ts';
export type { GatewayRoute } from './routes.ts';
export type { ObjectAccess } from './objects.ts';

export interface GatewayOptions {
  /** The API as a Lambda: API Gateway v2 events in, structured results out. */
  handler: (event: never, context: never) => unknown;
  /** 0 chooses one. */
  port: number;
  /** Default 127.0.0.1. Any but a loopback address needs a token, made here unless given. */
  host?: string;
  token?: string;
  /** Answers 404 itself for anything else; default: every request reaches the handler, as `$default`. */
  routes?: readonly GatewayRoute[];
  cors?: CorsConfiguration;
  /** Serves presigned addresses below `/objects/`. */
  objects?: ObjectAccess;
  /** Default 29,000. */
  timeoutMs?: number;
  /** Told of what handlers throw. */
  onError?: (error: unknown) => void;
}

export interface Gateway {
  url: string;
  port: number;
  /** To be sent as `Authorization: Bearer`; undefined on loopback. */
  token: string | undefined;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 10 * 1024 * 1024;
const TIMEOUT_MS = 29_000;
const TOO_LARGE = message(413, 'Request Too Long');

/** An HTTP server in front of an API handler, as API Gateway's HTTP API is (embedded-platform section 11). */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host = '127.0.0.1', timeoutMs = TIMEOUT_MS } = options;
  const loopback = isLoopback(host);
  const token = loopback ? options.token : (options.token ?? randomBytes(32).toString('hex'));
  const match = options.routes && routeMatcher(options.routes);

  async function answer(request: IncomingMessage): Promise<Reply> {
    let path: string;
    try {
      path = targetOf(request.url ?? '/').rawPath;
    } catch (error) {
      if (error instanceof MalformedRequest) return message(400, 'Bad Request');
      throw error;
    }
    const route: RouteMatch | undefined = match
      ? match(request.method ?? 'GET', path)
      : { routeKey: '$default' };
    if (!route) return message(404, 'Not Found');
    const body = await bodyOf(request);
    if (!body) return TOO_LARGE;
    const requestId = randomIds.uuid();
    const remoteAddress = request.socket.remoteAddress ?? '';
    const { method = 'GET', url = '/', rawHeaders, httpVersion } = request;
    const event = requestEvent({ method, url, rawHeaders, httpVersion, remoteAddress }, body, {
      requestId,
      now: Date.now(),
      route,
    });
    return limited(async () =>
      replyOf(await options.handler(event as never, contextOf(requestId, timeoutMs) as never)),
    );
  }

  /** A handler that fails is a 500, one that takes too long a 503; it may still finish, unseen. */
  async function limited(call: () => Promise<Reply>): Promise<Reply> {
    const { promise: late, resolve } = Promise.withResolvers<Reply>();
    const timer = setTimeout(() => resolve(message(503, 'Service Unavailable')), timeoutMs);
    const done = call().catch((error: unknown) => {
      options.onError?.(error);
      return INTERNAL;
    });
    try {
      return await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { origin, host: hostHeader, authorization } = request.headers;
    const method = request.method ?? 'GET';
    const extra = options.cors ? originHeaders(options.cors, origin) : {};
    const reply = (value: Reply): void => send(response, value, extra, method !== 'HEAD');
    if (loopback && !isLoopbackHost(hostHeader)) return reply(message(403, 'Forbidden'));
    if (
      options.cors &&
      method === 'OPTIONS' &&
      origin !== undefined &&
      request.headers['access-control-request-method']
    ) {
      const headers = preflightHeaders(options.cors, origin);
      return send(response, { status: 204, headers, body: '' }, {}, false);
    }
    const presigned = options.objects !== undefined && isObjectPath(request.url ?? '');
    if (presigned) return serveObject(request, response, options.objects!, extra);
    if (token !== undefined && !isAuthorised(authorization, token))
      return reply(message(401, 'Unauthorized'));
    if (
      Object.keys(extra).length === 0 &&
      token === undefined &&
      isForeignWrite(method, origin, hostHeader)
    ) {
      return reply(message(403, 'Forbidden'));
    }
    reply(await answer(request));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      options.onError?.(error);
      send(response, INTERNAL, {}, true);
      // The rest of a body that was refused is not waited for.
      request.resume();
    });
  });
  // Tasks share the process and may hold it for seconds: a connection closed meanwhile would meet the next request.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    token,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The whole body, or undefined when it is over 10 MB: what follows is read and dropped. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks);
}

function contextOf(requestId: string, timeoutMs: number): object {
  const deadline = performance.now() + timeoutMs;
  return {
    awsRequestId: requestId,
    functionName: 'agentmill-api',
    getRemainingTimeInMillis: () => Math.max(0, Math.round(deadline - performance.now())),
  };
}
