import { z } from 'zod';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { findWorkflow } from '#shared/task/job-control.ts';
import { ProblemError } from '#shared/task/problems.ts';
import { route } from './route.ts';
import { Health, NoQuery, WorkflowDetail, WorkflowList } from './schemas.ts';

/** The catalog over HTTP, and the health of the API. */

const schemas = new WeakMap<object, Record<string, unknown>>();

/** JSON Schema (2020-12) of a workflow's input, defaults optional. */
export function inputSchema(entry: WorkflowEntry): Record<string, unknown> {
  let schema = schemas.get(entry.input);
  if (!schema) {
    schema = z.toJSONSchema(entry.input, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>;
    schemas.set(entry.input, schema);
  }
  return schema;
}

const summary = ({ name, title, description }: WorkflowEntry) => ({ name, title, description });

export const health = route({
  method: 'GET',
  path: '/v1/health',
  operationId: 'getHealth',
  summary: 'Whether the API is there',
  query: NoQuery,
  responses: { 200: { description: 'It is.', schema: Health } },
  problems: [],
  async handler({ version }) {
    return { status: 200, body: { status: 'ok', version } };
  },
});

export const listWorkflows = route({
  method: 'GET',
  path: '/v1/workflows',
  operationId: 'listWorkflows',
  summary: 'Lists the workflows',
  scope: 'jobs:read',
  query: NoQuery,
  responses: { 200: { description: 'All workflows.', schema: WorkflowList } },
  problems: [],
  async handler({ catalog }) {
    return { status: 200, body: { items: catalog.map(summary) } };
  },
});

export const getWorkflow = route({
  method: 'GET',
  path: '/v1/workflows/{workflow}',
  operationId: 'getWorkflow',
  summary: 'Shows what a workflow takes: JSON Schema, examples, limits',
  scope: 'jobs:read',
  query: NoQuery,
  responses: { 200: { description: 'The workflow.', schema: WorkflowDetail } },
  problems: ['not-found'],
  async handler({ params, catalog }) {
    const entry = findWorkflow(catalog, params.workflow ?? '');
    if (!entry) throw new ProblemError('not-found', 'There is no such workflow.', { name: 'NotFound' });
    const { triggers, limits, concurrency, stages, examples } = entry;
    const body = {
      ...summary(entry),
      input: inputSchema(entry),
      examples,
      limits: { ...limits, jobs: concurrency.jobs },
      stages,
      triggers: {
        api: triggers.api,
        ...(triggers.s3 ? { s3: { prefix: triggers.s3.prefix, suffix: triggers.s3.suffix } } : {}),
        ...(triggers.schedule ? { schedule: triggers.schedule.expression } : {}),
      },
    };
    return { status: 200, body };
  },
});
