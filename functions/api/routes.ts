import { cancelJob, createJob, getJob, listEvents, listJobs, resumeJob } from './jobs.ts';
import { libraryRoutes } from './libraries.ts';
import { createUpload, listOutputs } from './objects.ts';
import { openApi } from './openapi.ts';
import { researchRoutes } from './research.ts';
import { route, type Route } from './route.ts';
import { NoQuery, OpenApiDocument } from './schemas.ts';
import { getWorkflow, health, listWorkflows } from './workflows.ts';

const getOpenApi = route({
  method: 'GET',
  path: '/v1/openapi.json',
  operationId: 'getOpenApi',
  summary: 'This document',
  scope: 'jobs:read',
  query: NoQuery,
  responses: { 200: { description: 'OpenAPI 3.1.', schema: OpenApiDocument } },
  problems: [],
  async handler({ version }) {
    return { status: 200, body: openApi(routes, version) };
  },
});

/** The one table that feeds the router, API Gateway, the embedded gateway and the OpenAPI document. */
export const routes: readonly Route[] = [
  health,
  getOpenApi,
  listWorkflows,
  getWorkflow,
  createUpload,
  createJob,
  listJobs,
  getJob,
  listEvents,
  listOutputs,
  cancelJob,
  resumeJob,
  ...libraryRoutes,
  ...researchRoutes,
];
