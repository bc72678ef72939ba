import { listAliases, setAlias } from '#shared/library/aliases.ts';
import { mcpTool, openAiTool } from '#shared/library/exports.ts';
import { listTools, pageOf } from '#shared/library/list.ts';
import type { LoadedLibrary } from '#shared/library/load.ts';
import { MAX_K } from '#shared/library/search.ts';
import { invoke, openLibrary, search } from '#shared/library/service.ts';
import { libraryFacts, listLibraries, listVersions, type LibraryFacts } from '#shared/library/store.ts';
import type { Json } from '#shared/storage/ports.ts';
import { ProblemError } from '#shared/task/problems.ts';
import { maySee } from './caller.ts';
import { decodeCursor, encodeCursor } from './cursors.ts';
import {
  AliasBody,
  AliasSchema,
  InvokeBody,
  InvokeResult,
  LibraryDetail,
  LibraryPage,
  PageQuery,
  SearchBody,
  SearchResult,
  ToolPage,
  ToolsQuery,
  VersionPage,
} from './library-schemas.ts';
import { route, type ApiRequest } from './route.ts';
import { NoQuery } from './schemas.ts';

/** Published tool libraries over HTTP (tool-library section 10). */

/** The caller's library. @throws ProblemError `not-found`, for others' libraries too. */
async function libraryFor({ params, runtime, caller }: ApiRequest): Promise<LibraryFacts> {
  const facts = await libraryFacts(runtime, params.libraryId ?? '');
  if (!facts || !maySee(caller, facts)) {
    throw new ProblemError('not-found', 'You have no such library.', { name: 'NotFound' });
  }
  return facts;
}

async function versionFor(request: ApiRequest, version: string | undefined): Promise<LoadedLibrary> {
  const { libraryId } = await libraryFor(request);
  return openLibrary(request.runtime, libraryId, version);
}

/** The number a cursor stands at. Its binding is no secret, so what is in it may be anything. */
function placeOf(list: readonly unknown[], cursor: string | undefined): number | undefined {
  const after = decodeCursor(list, cursor);
  if (after === undefined) return undefined;
  if (/^\d{1,9}$/.test(after)) return Number(after);
  throw new ProblemError('bad-cursor', 'The cursor does not belong to this list: start again without one.');
}

const BODY_PROBLEMS = [
  'malformed-json',
  'payload-too-large',
  'unsupported-media-type',
  'invalid-input',
] as const;

export const listAllLibraries = route({
  method: 'GET',
  path: '/v1/libraries',
  operationId: 'listLibraries',
  summary: "Lists the caller's tool libraries",
  scope: 'jobs:read',
  query: PageQuery,
  responses: { 200: { description: 'A page of libraries, by id.', schema: LibraryPage } },
  problems: ['invalid-input', 'bad-cursor'],
  async handler({ query, caller, runtime }) {
    const list = ['libraries', caller.admin ? '*' : caller.owner];
    const after = decodeCursor(list, query.cursor);
    const { items, next } = await listLibraries(runtime, {
      ...(caller.admin ? {} : { owner: caller.owner }),
      limit: query.limit,
      ...(after === undefined ? {} : { after }),
    });
    return {
      status: 200,
      body: { items, ...(next === undefined ? {} : { nextCursor: encodeCursor(list, next) }) },
    };
  },
});

export const getLibrary = route({
  method: 'GET',
  path: '/v1/libraries/{libraryId}',
  operationId: 'getLibrary',
  summary: 'Shows a library and where its aliases point',
  scope: 'jobs:read',
  query: NoQuery,
  responses: { 200: { description: 'The library.', schema: LibraryDetail } },
  problems: ['not-found'],
  async handler(request) {
    const facts = await libraryFor(request);
    return { status: 200, body: { ...facts, aliases: await listAliases(request.runtime, facts.libraryId) } };
  },
});

export const listLibraryVersions = route({
  method: 'GET',
  path: '/v1/libraries/{libraryId}/versions',
  operationId: 'listLibraryVersions',
  summary: 'Lists the versions of a library, newest first',
  scope: 'jobs:read',
  query: PageQuery,
  responses: { 200: { description: 'A page of versions.', schema: VersionPage } },
  problems: ['not-found', 'invalid-input', 'bad-cursor'],
  async handler(request) {
    const { libraryId } = await libraryFor(request);
    const { limit, cursor } = request.query;
    const list = ['versions', libraryId];
    const below = placeOf(list, cursor);
    const found = await listVersions(request.runtime, libraryId, {
      limit: limit + 1,
      ...(below === undefined ? {} : { below }),
    });
    const items = found.slice(0, limit);
    const next = found.length > limit ? { nextCursor: encodeCursor(list, String(items.at(-1)!.number)) } : {};
    return { status: 200, body: { items, ...next } };
  },
});

export const listLibraryTools = route({
  method: 'GET',
  path: '/v1/libraries/{libraryId}/tools',
  operationId: 'listLibraryTools',
  summary: 'Lists the tools of a version: whole, as OpenAI functions, or as an MCP tool list',
  scope: 'jobs:read',
  query: ToolsQuery,
  responses: { 200: { description: 'A page of tools, in the order of the version.', schema: ToolPage } },
  problems: ['not-found', 'invalid-input', 'bad-cursor'],
  async handler(request) {
    const { format, limit, cursor } = request.query;
    const library = await versionFor(request, request.query.version);
    const { libraryId, version } = library.manifest;
    const list = ['tools', libraryId, version, format];
    const from = placeOf(list, cursor) ?? 0;
    const { rows } = library.index;
    const page = pageOf(rows, from, limit);
    const to = from + page.length;
    const next = to < rows.length && page.length > 0 ? { nextCursor: encodeCursor(list, String(to)) } : {};
    switch (format) {
      case 'mcp':
        return { status: 200, body: { tools: page.map(mcpTool), ...next } };
      case 'openai':
        return { status: 200, body: { items: page.map(openAiTool), ...next } };
      case 'agentmill':
        return {
          status: 200,
          body: { items: await listTools(request.runtime, library, page), ...next },
        };
    }
  },
});

export const searchLibrary = route({
  method: 'POST',
  path: '/v1/libraries/{libraryId}/search',
  operationId: 'searchLibrary',
  summary: 'Finds tools by meaning and by words',
  scope: 'jobs:read',
  query: NoQuery,
  request: SearchBody,
  responses: { 200: { description: 'The best tools, best first, ties by id.', schema: SearchResult } },
  problems: [...BODY_PROBLEMS, 'out-of-range', 'not-found', 'conflict'],
  async handler(request) {
    const { version: wanted, k, query, tags, cluster, mode } = request.body;
    if (k !== undefined && (!Number.isInteger(k) || k < 1 || k > MAX_K)) {
      throw new ProblemError('out-of-range', `k is ${k}.`, {
        problems: [
          { pointer: '/k', code: 'out-of-range', detail: `It is a whole number from 1 to ${MAX_K}.` },
        ],
      });
    }
    const library = await versionFor(request, wanted);
    const { libraryId, version } = library.manifest;
    const hits = await search(library, {
      query,
      ...(k === undefined ? {} : { k }),
      ...(tags === undefined ? {} : { tags }),
      ...(cluster === undefined ? {} : { cluster }),
      ...(mode === undefined ? {} : { mode }),
    });
    return { status: 200, body: { libraryId, version, hits } };
  },
});

export const invokeLibraryTool = route({
  method: 'POST',
  path: '/v1/libraries/{libraryId}/tools/{name}/invoke',
  operationId: 'invokeLibraryTool',
  summary: 'Runs a tool in the sandbox',
  scope: 'jobs:write',
  query: NoQuery,
  request: InvokeBody,
  optionalBody: true,
  responses: { 200: { description: 'What the tool gave or raised.', schema: InvokeResult } },
  problems: [...BODY_PROBLEMS, 'not-found'],
  async handler(request) {
    const library = await versionFor(request, request.body.version);
    const name = request.params.name ?? '';
    const values = request.body.arguments as Record<string, Json>;
    return { status: 200, body: await invoke(request.runtime, library, name, values) };
  },
});

export const moveLibraryAlias = route({
  method: 'POST',
  path: '/v1/libraries/{libraryId}/alias',
  operationId: 'moveLibraryAlias',
  summary: 'Points an alias at a version: publishes, or rolls back',
  scope: 'jobs:write',
  query: NoQuery,
  request: AliasBody,
  responses: { 200: { description: 'The alias as it is now.', schema: AliasSchema } },
  problems: [...BODY_PROBLEMS, 'not-found', 'conflict'],
  async handler(request) {
    const { libraryId } = await libraryFor(request);
    const { alias: name, version, ifVersion } = request.body;
    const alias = await setAlias(request.runtime, {
      libraryId,
      name,
      version,
      ...(ifVersion === undefined ? {} : { ifVersion }),
    });
    return { status: 200, body: alias };
  },
});

/** All of them, for the one table. */
export const libraryRoutes = [
  listAllLibraries,
  getLibrary,
  listLibraryVersions,
  listLibraryTools,
  searchLibrary,
  invokeLibraryTool,
  moveLibraryAlias,
];
