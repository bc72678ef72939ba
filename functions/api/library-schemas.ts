import { z } from 'zod';
import { AliasSchema, LibraryToolSchema } from '#shared/library/types.ts';
import { cursor, limit } from './schemas.ts';

/** The resources of `/v1/libraries` (tool-library section 10). */

const count = z.int().min(0);
const jsonSchema = z.record(z.string(), z.json()).meta({ description: 'JSON Schema of the parameters.' });
const version = z
  .string()
  .min(1)
  .max(60)
  .optional()
  .meta({ description: 'A version or an alias; default `latest`.' });

export const LibraryPage = z.strictObject({
  items: z.array(z.strictObject({ libraryId: z.string(), owner: z.string() })),
  nextCursor: z.string().optional(),
});

export const LibraryDetail = z.strictObject({
  libraryId: z.string(),
  owner: z.string(),
  createdAt: z.iso.datetime(),
  aliases: z.array(AliasSchema),
});

export const VersionPage = z
  .strictObject({
    items: z.array(
      z.strictObject({
        version: z.string(),
        number: z.int().positive(),
        createdAt: z.iso.datetime(),
        counts: z.record(z.string(), z.number()),
        partial: z.boolean(),
      }),
    ),
    nextCursor: z.string().optional(),
  })
  .meta({ description: 'Newest first.' });

export const SearchBody = z.strictObject({
  query: z.string().min(1).max(10_000),
  k: z.number().optional().meta({ description: 'How many tools, 1 to 20; default 5.' }),
  tags: z.array(z.string().max(100)).max(20).optional().meta({ description: 'Only tools with all of them.' }),
  cluster: z.string().max(100).optional().meta({ description: 'Only tools of this cluster.' }),
  mode: z.enum(['hybrid', 'vector', 'keyword']).optional(),
  version,
});

export const SearchResult = z.strictObject({
  libraryId: z.string(),
  version: z.string(),
  hits: z.array(
    z.strictObject({
      toolId: z.string(),
      name: z.string(),
      description: z.string(),
      schema: jsonSchema,
      path: z.array(z.string()),
      tags: z.array(z.string()),
      clusterId: z.string(),
      score: z.number(),
      parts: z.strictObject({ cosine: z.number(), bm25: z.number() }).meta({
        description:
          'Before weights: the score is 0.7 of each share of the best cosine, 0.3 of the best BM25.',
      }),
    }),
  ),
});

export const InvokeBody = z.strictObject({
  arguments: z.record(z.string(), z.json()).default({}),
  version,
});

export const InvokeResult = z
  .discriminatedUnion('ok', [
    z.strictObject({ ok: z.literal(true), value: z.json(), stdout: z.string(), ms: z.number() }),
    z.strictObject({
      ok: z.literal(false),
      error: z.strictObject({ type: z.string(), message: z.string(), line: z.int().optional() }),
      stdout: z.string(),
      ms: z.number(),
    }),
  ])
  .meta({
    description:
      'What the tool gave, or what it raised. Values beyond JSON are tagged `{"$": kind, "v": …}`.',
  });

export const FORMATS = ['agentmill', 'openai', 'mcp'] as const;
export const ToolsQuery = z.strictObject({
  format: z.enum(FORMATS).default('agentmill'),
  version,
  limit: limit(100, 50),
  cursor,
});

const nextCursor = z.string().optional();
export const ToolPage = z.union([
  z.strictObject({
    items: z.array(
      LibraryToolSchema.extend({
        evidence: LibraryToolSchema.shape.evidence.extend({ invocations: count, errors: count }),
      }),
    ),
    nextCursor,
  }),
  z
    .strictObject({
      items: z.array(
        z.strictObject({
          type: z.literal('function'),
          function: z.strictObject({ name: z.string(), description: z.string(), parameters: jsonSchema }),
        }),
      ),
      nextCursor,
    })
    .meta({ description: '`format=openai`: what `tools` of a chat completion takes.' }),
  z
    .strictObject({
      tools: z.array(
        z.strictObject({
          name: z.string(),
          title: z.string(),
          description: z.string(),
          inputSchema: jsonSchema,
          annotations: z.record(z.string(), z.json()),
        }),
      ),
      nextCursor,
    })
    .meta({ description: '`format=mcp`: a result of tools/list of the Model Context Protocol.' }),
]);

export const AliasBody = z.strictObject({
  alias: z.string().min(1).max(41),
  version: z.string().min(1).max(60).meta({ description: 'A version, or an alias whose version it is.' }),
  ifVersion: z
    .string()
    .max(60)
    .optional()
    .meta({ description: 'The version it must point at now, else 409: nobody moves it unseen.' }),
});
export { AliasSchema };

export const PageQuery = z.strictObject({ limit: limit(100, 25), cursor });
