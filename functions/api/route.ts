import type { z } from 'zod';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import type { Logger } from '#shared/task/context.ts';
import type { JobControl } from '#shared/task/job-control.ts';
import type { ProblemSlug } from '#shared/task/problems.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Caller, Scope } from './caller.ts';

/** What a route is made of: router, document, gateways and CDK read the same table. */

export interface ApiRequest<Query = unknown, Body = unknown> {
  /** Of the path, decoded. */
  params: Record<string, string>;
  query: Query;
  body: Body;
  /** Names in lower case. */
  headers: Record<string, string | undefined>;
  caller: Caller;
  runtime: Runtime;
  catalog: readonly WorkflowEntry[];
  control: JobControl;
  requestId: string;
  log: Logger;
  version: string;
}

export interface ApiResponse {
  status: number;
  body?: unknown;
  /** Sent as it is, under the Content-Type of `headers`, where there is no `body`. */
  text?: string;
  headers?: Record<string, string>;
}

export interface RouteResponse {
  description: string;
  /** Absent: no body. */
  schema?: z.ZodType;
  /** Of the body; default `application/json`. */
  mediaType?: string;
  headers?: Record<string, string>;
}

export interface Route {
  method: 'GET' | 'POST';
  /** API Gateway's notation. */
  path: string;
  operationId: string;
  summary: string;
  /** Absent on the one open route. */
  scope?: Scope;
  query?: z.ZodObject;
  /** Schema of the body; absent: there is none. */
  request?: z.ZodType;
  /** Whether the body may be left out. */
  optionalBody?: boolean;
  /** Headers the route reads: what each is for. */
  requestHeaders?: Record<string, string>;
  responses: Record<number, RouteResponse>;
  /** Problems of this route beside those of every route. */
  problems: readonly ProblemSlug[];
  handler(request: ApiRequest): Promise<ApiResponse>;
}

/** Declares a route whose handler sees its query and body as its schemas parse them. */
export function route<Query extends z.ZodObject = z.ZodObject, Body extends z.ZodType = z.ZodType>(
  declared: Omit<Route, 'query' | 'request' | 'handler'> & {
    query?: Query;
    request?: Body;
    handler(request: ApiRequest<z.output<Query>, z.output<Body>>): Promise<ApiResponse>;
  },
): Route {
  return declared as unknown as Route;
}
