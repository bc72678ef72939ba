import type { Readable, Writable } from 'node:stream';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type CallToolResult,
} from '@modelcontextprotocol/sdk/types.js';
import { withConnection, type CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { LibrariesClient, type InvokeAnswer } from '../libraries-client.ts';

/** Where protocol messages come from and go to. */
interface Streams {
  stdin: Readable;
  stdout: Writable;
}

/**
 * `agentmill mcp --library <id>`: serves a library to any client of the Model Context Protocol, over stdin and stdout,
 * until the client goes. The version is settled when it starts: a client's list stays true while an alias moves.
 */
export async function serveMcp(
  context: CommandContext,
  options: { library: string; version?: string },
  streams: Streams = process,
): Promise<number> {
  return withConnection(context, { work: false }, async ({ client }) => {
    const libraries = new LibrariesClient(client);
    const version = await versionOf(libraries, options);
    const server = libraryServer(libraries, options.library, version);
    const transport = new StdioServerTransport(streams.stdin, streams.stdout);
    const gone = new Promise<void>((resolve) => {
      server.onclose = resolve;
      streams.stdin.once('end', resolve);
      streams.stdin.once('close', resolve);
      context.interrupted.addEventListener('abort', () => resolve(), { once: true });
    });
    await server.connect(transport);
    // stdout is the protocol's; people read stderr.
    context.output.note(`Serving ${options.library} ${version} over MCP on stdin and stdout.`);
    await gone;
    await server.close();
    return EXIT.ok;
  });
}

async function versionOf(
  libraries: LibrariesClient,
  { library, version = 'latest' }: { library: string; version?: string },
): Promise<string> {
  const { aliases } = await libraries.get(library);
  const alias = aliases.find(({ name }) => name === version);
  if (alias) return alias.version;
  const found = (await libraries.versions(library)).find((each) => each.version === version);
  if (found) return found.version;
  throw new CliError(EXIT.notFound, `The library "${library}" has no version or alias "${version}".`, [
    `agentmill libraries show ${library} lists them.`,
  ]);
}

/** An MCP server that lists and calls the tools of one version. */
export function libraryServer(libraries: LibrariesClient, library: string, version: string): Server {
  const server = new Server(
    { name: `agentmill ${library}`, version },
    {
      capabilities: { tools: {} },
      instructions: `The tools of the library "${library}", version ${version}: pure functions, run in a sandbox.`,
    },
  );
  server.setRequestHandler(ListToolsRequestSchema, async ({ params }) =>
    asMcp(async () => {
      const { tools, nextCursor } = await libraries.mcpTools(library, version, params?.cursor);
      return { tools, ...(nextCursor === undefined ? {} : { nextCursor }) };
    }),
  );
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) =>
    asMcp(async () =>
      resultOf(await libraries.invoke(library, params.name, { arguments: params.arguments ?? {}, version })),
    ),
  );
  return server;
}

/** What a tool raises is a result that the model can act on, not an error of the protocol. */
export function resultOf(answer: InvokeAnswer): CallToolResult {
  if (!answer.ok) {
    const { type, message } = answer.error;
    return { isError: true, content: [{ type: 'text', text: `${type}: ${message}` }] };
  }
  const { value } = answer;
  return { content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] };
}

async function asMcp<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const ours = error.exitCode === EXIT.usage || error.exitCode === EXIT.notFound;
    throw new McpError(
      ours ? ErrorCode.InvalidParams : ErrorCode.InternalError,
      [error.message, ...error.details].join(' '),
    );
  }
}
