import type { McpTool } from '#shared/library/exports.ts';
import type { SearchHit } from '#shared/library/search.ts';
import { TOOL_NAME, type Alias, type LibraryTool } from '#shared/library/types.ts';
import type { ApiClient } from './client.ts';
import { CliError, EXIT } from './exit.ts';

/** `/v1/libraries` as the commands use it (tool-library section 10). */

export interface Version {
  version: string;
  number: number;
  createdAt: string;
  counts: Record<string, number>;
  partial: boolean;
}

export type InvokeAnswer =
  | { ok: true; value: unknown; stdout: string; ms: number }
  | { ok: false; error: { type: string; message: string; line?: number }; stdout: string; ms: number };

type Page<T> = { items: T[]; nextCursor?: string };
export type ToolFormat = 'agentmill' | 'openai' | 'mcp';

const at = (libraryId: string, path: string): string =>
  `/v1/libraries/${encodeURIComponent(libraryId)}${path}`;

export class LibrariesClient {
  readonly #client: ApiClient;
  constructor(client: ApiClient) {
    this.#client = client;
  }

  list(): Promise<{ libraryId: string; owner: string }[]> {
    return this.#pages((cursor) =>
      this.#client.request('GET', '/v1/libraries', { query: { limit: '100', cursor } }),
    );
  }

  get(libraryId: string): Promise<{ libraryId: string; owner: string; createdAt: string; aliases: Alias[] }> {
    return this.#of(libraryId, this.#client.request('GET', at(libraryId, '')));
  }

  versions(libraryId: string): Promise<Version[]> {
    return this.#pages((cursor) =>
      this.#of(
        libraryId,
        this.#client.request('GET', at(libraryId, '/versions'), { query: { limit: '100', cursor } }),
      ),
    );
  }

  /** Every tool of a version, in a format. */
  tools<T = LibraryTool>(
    libraryId: string,
    format: Exclude<ToolFormat, 'mcp'>,
    version?: string,
  ): Promise<T[]> {
    return this.#pages((cursor) =>
      this.#of(
        libraryId,
        this.#client.request('GET', at(libraryId, '/tools'), {
          query: { format, version, limit: '100', cursor },
        }),
      ),
    );
  }

  /** One page of a version's tools as MCP lists them. */
  mcpTools(
    libraryId: string,
    version: string | undefined,
    cursor: string | undefined,
  ): Promise<{ tools: McpTool[]; nextCursor?: string }> {
    return this.#of(
      libraryId,
      this.#client.request('GET', at(libraryId, '/tools'), {
        query: { format: 'mcp', version, limit: '100', cursor },
      }),
    );
  }

  search(
    libraryId: string,
    body: Record<string, unknown>,
  ): Promise<{ libraryId: string; version: string; hits: SearchHit[] }> {
    return this.#of(libraryId, this.#client.request('POST', at(libraryId, '/search'), { body }));
  }

  async invoke(libraryId: string, name: string, body: Record<string, unknown>): Promise<InvokeAnswer> {
    // What is no name is no path either.
    if (!TOOL_NAME.test(name)) {
      throw new CliError(
        EXIT.notFound,
        `The library "${libraryId}" has no tool ${JSON.stringify(name.slice(0, 64))}.`,
      );
    }
    return this.#of(
      libraryId,
      this.#client.request('POST', at(libraryId, `/tools/${name}/invoke`), { body }),
    );
  }

  alias(libraryId: string, body: Record<string, unknown>): Promise<Alias> {
    return this.#of(libraryId, this.#client.request('POST', at(libraryId, '/alias'), { body }));
  }

  /** What is not there is named, with where to look for what is. */
  async #of<T>(libraryId: string, request: Promise<T>): Promise<T> {
    try {
      return await request;
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== EXIT.notFound) throw error;
      const inside = error.message.includes(libraryId);
      throw new CliError(
        EXIT.notFound,
        inside ? error.message : `The library "${libraryId}": ${error.message}`,
        [
          ...error.details,
          inside
            ? `agentmill libraries show ${libraryId} lists its versions, agentmill libraries tools ${libraryId} its tools.`
            : 'agentmill libraries list shows those there are.',
        ],
      );
    }
  }

  async #pages<T>(page: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
    const items: T[] = [];
    for (let cursor: string | undefined; ;) {
      const { items: more, nextCursor } = await page(cursor);
      items.push(...more);
      if (nextCursor === undefined) return items;
      cursor = nextCursor;
    }
  }
}
