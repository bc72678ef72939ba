import middy, { type MiddlewareObj } from '@middy/core';
import headerNormalizer from '@middy/http-header-normalizer';
import router from '@middy/http-router';
import securityHeaders from '@middy/http-security-headers';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import type { Logger } from '#shared/task/context.ts';
import { fieldProblems } from '#shared/task/fields.ts';
import { jobControl } from '#shared/task/job-control.ts';
import { createLogger, createMetrics } from '#shared/task/logger.ts';
import { ProblemError, type ProblemSlug } from '#shared/task/problems.ts';
import { currentRuntime, type Runtime } from '#shared/task/runtime.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { bodyParser, sizeCheck } from './body.ts';
import { callerOf, requireScope, type Caller } from './caller.ts';
import { problemResponse } from './problem-response.ts';
import type { ApiResponse, Route } from './route.ts';
import { routes as allRoutes } from './routes.ts';

export interface ApiOptions {
  catalog: readonly WorkflowEntry[];
  /** Default: the package's. */
  version?: string;
  routes?: readonly Route[];
}

export type ApiHandler = (
  event: APIGatewayProxyEventV2,
  context?: unknown,
) => Promise<APIGatewayProxyStructuredResultV2>;

interface RequestState {
  runtime: Runtime;
  requestId: string;
  log: Logger;
  started: number;
  /** `POST /v1/jobs`: the route, for logs; the path as sent may hold anything. */
  routeKey: string;
}

type Middleware = MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error>;

const states = new WeakMap<object, RequestState>();
/** The body as parsed; the event's own type knows text only. */
const parsedBody = (event: APIGatewayProxyEventV2): unknown => event.body as unknown;

/**
 * Makes the API of a catalog (infra-api-cli section 7). It takes API Gateway v2 events, from AWS or from the embedded
 * gateway, and never throws: every failure is a problem document.
 */
export function createApi(options: ApiOptions): ApiHandler {
  const { catalog, version = packageJson.version, routes = allRoutes } = options;

  const context: Middleware = {
    async before({ event, context }) {
      const runtime = await currentRuntime();
      const requestId = event.requestContext.requestId;
      const log = createLogger({
        clock: runtime.clock,
        write: (line) => runtime.writeLog(line),
        metrics: createMetrics(),
        level: runtime.env.AGENTMILL_LOG_LEVEL,
        bound: { stage: runtime.env.AGENTMILL_STAGE ?? runtime.kind, task: 'api', requestId },
      });
      states.set(context, { runtime, requestId, log, started: runtime.clock.now(), routeKey: 'unmatched' });
    },
  };

  const headers: Middleware = {
    after: (request) => finishHeaders(request.response!, request.event),
    onError: (request) => finishHeaders(request.response!, request.event),
  };

  const problems: Middleware = {
    onError(request) {
      const state = states.get(request.context);
      request.response = problemResponse(request.error, request.event.requestContext?.requestId, (error) =>
        state?.log.error('The request failed.', { error, route: state.routeKey }),
      );
    },
  };

  const accessLog: Middleware = {
    after: (request) => logAccess(states.get(request.context), request.response?.statusCode),
    onError: (request) => logAccess(states.get(request.context), request.response?.statusCode),
  };

  const dispatch = router<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>({
    routes: routes.map((route) => ({
      method: route.method,
      path: route.path,
      handler: ((event: APIGatewayProxyEventV2, context: object) =>
        serve(route, event, stateOf(context))) as never,
    })),
    notFoundResponse: () => {
      throw new ProblemError('not-found', 'There is no such route.', { name: 'NotFound' });
    },
  });

  const serve = async (
    route: Route,
    event: APIGatewayProxyEventV2,
    state: RequestState,
  ): Promise<APIGatewayProxyStructuredResultV2> => {
    state.routeKey = `${route.method} ${route.path}`;
    const { runtime, requestId } = state;
    const caller: Caller =
      route.scope === undefined ? { owner: 'anyone', admin: false } : callerOf(event, runtime);
    if (route.scope !== undefined) requireScope(caller, route.scope);
    const log = state.log.with({ owner: caller.owner });
    state.log = log;
    const response = await route.handler({
      params: decodedParams(event.pathParameters),
      query: parse(route.query, event.queryStringParameters ?? {}, 'query'),
      body: bodyOf(route, event),
      headers: event.headers,
      caller,
      runtime,
      catalog,
      control: jobControl(runtime, catalog),
      requestId,
      log,
      version,
    });
    return toResult(response);
  };

  // In reverse, as `after` and `onError` run: the problem is written, then headers are added, then it is logged.
  const stack = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error>({
    timeoutEarlyInMillis: 0,
  })
    .use(context)
    .use(accessLog)
    .use(headers)
    .use(securityHeaders())
    .use(problems)
    .use(headerNormalizer() as Middleware)
    .use(sizeCheck())
    .use(bodyParser())
    .handler(dispatch as never);

  return async (event, lambdaContext = {}) =>
    (await stack(
      { ...event, headers: { ...event.headers } },
      // A context of this request's own: state hangs on it, and hosts may share theirs.
      { awsRequestId: (lambdaContext as { awsRequestId?: string }).awsRequestId ?? '' } as never,
    )) as APIGatewayProxyStructuredResultV2;
}

function stateOf(context: object): RequestState {
  const state = states.get(context);
  if (!state) throw new Error('The request ran without its middleware.');
  return state;
}

function decodedParams(params: Record<string, string | undefined> | undefined): Record<string, string> {
  try {
    const entries = Object.entries(params ?? {}).map(([name, value]) => [
      name,
      decodeURIComponent(value ?? ''),
    ]);
    return Object.fromEntries(entries) as Record<string, string>;
  } catch {
    throw new ProblemError('not-found', 'The path is not well-formed.', { name: 'NotFound' });
  }
}

function parse(schema: Route['request'], value: unknown, base?: string): unknown {
  if (!schema) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = fieldProblems(parsed.error, base === undefined ? [] : [base]);
  const slug: ProblemSlug = 'invalid-input';
  const many = problems.length === 1 ? 'One field is' : `${problems.length} fields are`;
  throw new ProblemError(slug, `${many} not valid.`, { problems });
}

function bodyOf(route: Route, event: APIGatewayProxyEventV2): unknown {
  const body = parsedBody(event);
  if (!route.request) return undefined;
  if (body === undefined || body === null) {
    if (route.optionalBody) return parse(route.request, {});
    throw new ProblemError('malformed-json', 'The request needs a JSON body.');
  }
  return parse(route.request, body);
}

function toResult({ status, body, text, headers = {} }: ApiResponse): APIGatewayProxyStructuredResultV2 {
  if (text !== undefined) return { statusCode: status, headers: { ...headers }, body: text };
  if (body === undefined) return { statusCode: status, headers: { ...headers } };
  return {
    statusCode: status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

function finishHeaders(response: APIGatewayProxyStructuredResultV2, event: APIGatewayProxyEventV2): void {
  response.headers = {
    ...response.headers,
    'Cache-Control': 'no-store',
    'X-Request-Id': event.requestContext?.requestId ?? '',
  };
}

function logAccess(state: RequestState | undefined, status: number | undefined): void {
  if (!state) return;
  const ms = state.runtime.clock.now() - state.started;
  state.log.info('Answered.', { route: state.routeKey, status, ms });
}
