import { z } from 'zod';
import { PROBLEMS, type ProblemSlug } from '#shared/task/problems.ts';
import type { Route } from './route.ts';
import * as libraries from './library-schemas.ts';
import * as research from './research-schemas.ts';
import * as schemas from './schemas.ts';

/** The OpenAPI 3.1 document, made from the route table and its zod schemas. */

type Document = Record<string, unknown>;

/** Schemas with a name of their own; routes that use them refer to them. */
const RESOURCES: Record<string, z.ZodType> = {
  Problem: schemas.Problem,
  Budget: schemas.Budget,
  Job: schemas.JobSchema,
  JobPage: schemas.JobPage,
  EventPage: schemas.EventPage,
  OutputPage: schemas.OutputPage,
  Health: schemas.Health,
  WorkflowList: schemas.WorkflowList,
  Workflow: schemas.WorkflowDetail,
  Upload: schemas.Upload,
  OpenApi: schemas.OpenApiDocument,
  LibraryPage: libraries.LibraryPage,
  Library: libraries.LibraryDetail,
  LibraryVersionPage: libraries.VersionPage,
  LibraryToolPage: libraries.ToolPage,
  LibrarySearchResult: libraries.SearchResult,
  InvokeResult: libraries.InvokeResult,
  LibraryAlias: libraries.AliasSchema,
  ResearchStarted: research.ResearchStarted,
  Research: research.ResearchState,
  ResearchNote: research.NoteAccepted,
  EventStream: research.EventStream,
};
const REQUESTS: Record<string, z.ZodType> = {
  CreateJob: schemas.CreateBody,
  ResumeJob: schemas.ResumeBody,
  CancelJob: schemas.CancelBody,
  CreateUpload: schemas.UploadBody,
  SearchLibrary: libraries.SearchBody,
  InvokeTool: libraries.InvokeBody,
  MoveAlias: libraries.AliasBody,
  StartResearch: research.ResearchBody,
  AddNote: research.NoteBody,
};

/** Problems that any route with an authoriser may answer. */
const COMMON: readonly ProblemSlug[] = ['forbidden', 'internal', 'unavailable'];

const refTo = (name: string) => ({ $ref: `#/components/schemas/${name}` });

function components(named: Record<string, z.ZodType>, io: 'input' | 'output'): Document {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas: made } = z.toJSONSchema(registry, {
    io,
    uri: (id) => `#/components/schemas/${id}`,
    unrepresentable: 'any',
  });
  const { __shared: shared, ...own } = made as Record<string, Document>;
  const parts = Object.entries((shared?.$defs ?? {}) as Record<string, Document>).map(([name, schema]) => [
    `${sharedPrefix(io)}${name}`,
    relocate(schema, '', io),
  ]);
  const wholes = Object.entries(own).map(([id, schema]) => {
    const { $schema: _dialect, $id: _id, ...rest } = schema;
    return [id, relocate(rest, id, io)];
  });
  return Object.fromEntries([...wholes, ...parts]) as Document;
}

/** What several schemas share becomes a component of its own. */
const sharedPrefix = (io: string): string => `Shared.${io}.`;
const SHARED = '#/components/schemas/__shared#/$defs/';

/** References as zod makes them, to where the things lie in the document. */
function relocate(value: unknown, id: string, io: string): unknown {
  if (Array.isArray(value)) return value.map((item) => relocate(item, id, io));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === '$ref' && typeof member === 'string' ? movedRef(member, id, io) : relocate(member, id, io),
    ]),
  );
}

function movedRef(ref: string, id: string, io: string): string {
  if (ref.startsWith(SHARED)) return `#/components/schemas/${sharedPrefix(io)}${ref.slice(SHARED.length)}`;
  if (!ref.startsWith('#/$defs/') && ref !== '#') return ref;
  // Inside the shared part a definition's neighbour is shared, too.
  if (id === '') return `#/components/schemas/${sharedPrefix(io)}${ref.slice('#/$defs/'.length)}`;
  return `#/components/schemas/${id}${ref.slice(1)}`;
}

function nameOf(schema: z.ZodType, among: Record<string, z.ZodType>): string {
  const found = Object.entries(among).find(([, candidate]) => candidate === schema);
  if (!found) throw new Error('A route uses a schema that has no name in the OpenAPI document.');
  return found[0];
}

function parameters(route: Route): Document[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const query = route.query
    ? (z.toJSONSchema(route.query, { io: 'input' }) as { properties?: Record<string, Document> })
    : {};
  const inQuery = Object.entries(query.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
  const inHeader = Object.entries(route.requestHeaders ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
  return [...inPath, ...inQuery, ...inHeader];
}

function responses(route: Route): Document {
  const good = Object.entries(route.responses).map(
    ([status, { description, schema, mediaType = 'application/json', headers }]) => [
      status,
      {
        description,
        ...(headers
          ? {
              headers: Object.fromEntries(
                Object.entries(headers).map(([name, text]) => [
                  name,
                  { description: text, schema: { type: 'string' } },
                ]),
              ),
            }
          : {}),
        ...(schema ? { content: { [mediaType]: { schema: refTo(nameOf(schema, RESOURCES)) } } } : {}),
      },
    ],
  );
  const bad = new Map<number, ProblemSlug[]>();
  for (const slug of [...route.problems, ...COMMON]) {
    bad.set(PROBLEMS[slug].status, [...(bad.get(PROBLEMS[slug].status) ?? []), slug]);
  }
  const failed = [...bad].map(([status, slugs]) => [
    String(status),
    {
      description: slugs.map((slug) => `\`${slug}\`: ${PROBLEMS[slug].title}.`).join(' '),
      content: { 'application/problem+json': { schema: refTo('Problem') } },
    },
  ]);
  return Object.fromEntries([...good, ...failed]) as Document;
}

function operation(route: Route): Document {
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...(route.scope === undefined ? { security: [] } : { security: [{ jwt: [route.scope] }, { iam: [] }] }),
    parameters: parameters(route),
    ...(route.request
      ? {
          requestBody: {
            required: !route.optionalBody,
            content: { 'application/json': { schema: refTo(nameOf(route.request, REQUESTS)) } },
          },
        }
      : {}),
    responses: responses(route),
  };
}

const made = new WeakMap<readonly Route[], Map<string, Document>>();

/** The document of a route table; made once a version. */
export function openApi(routes: readonly Route[], version: string): Document {
  const known = made.get(routes) ?? new Map<string, Document>();
  made.set(routes, known);
  let document = known.get(version);
  if (!document) {
    const paths: Record<string, Document> = {};
    for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
    document = {
      openapi: '3.1.1',
      info: {
        title: 'Agentmill',
        version,
        description: 'Starts workflows, follows their jobs, and hands out what they made.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
      paths,
      components: {
        schemas: { ...components(RESOURCES, 'output'), ...components(REQUESTS, 'input') },
        securitySchemes: {
          jwt: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          iam: {
            type: 'apiKey',
            in: 'header',
            name: 'Authorization',
            description: 'AWS Signature Version 4.',
          },
        },
      },
    };
    known.set(version, document);
  }
  return document;
}
