import type { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type CallToolResult,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { withConnection, type CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { LibrariesClient, type InvokeAnswer } from '../libraries-client.ts';
import { safeText } from '../output.ts';

/** Where protocol messages come from and go to. */
interface Streams {
  stdin: Readable;
  stdout: Writable;
}

/**
 * `agentmill mcp --library <id>`: serves a library to any client of the Model Context Protocol, over stdin and stdout,
 * until the client goes; what it asked before is answered first, so that requests can be piped in. The version is settled
 * when the server starts: a client's list stays true while an alias moves.
 */
export async function serveMcp(
  context: CommandContext,
  options: { library: string; version?: string },
  streams: Streams = process,
): Promise<number> {
  return withConnection(context, { work: false }, async ({ client }) => {
    const libraries = new LibrariesClient(client);
    const version = await versionOf(libraries, options);
    const { server, answered } = libraryServer(libraries, options.library, version);
    const transport = new StdioServerTransport(streams.stdin, streams.stdout);
    const gone = new Promise<void>((resolve) => {
      streams.stdin.once('end', resolve);
      streams.stdin.once('close', resolve);
    });
    const stopped = new Promise<void>((resolve) => {
      server.onclose = resolve;
      context.interrupted.addEventListener('abort', () => resolve(), { once: true });
    });
    // What is no message has no id to answer to: whoever wrote it reads stderr.
    server.onerror = (error) =>
      context.output.note(
        `A line was left out: ${error instanceof SyntaxError ? safeText(error.message.slice(0, 200)) : 'it is no message of JSON-RPC 2.0 by itself'}.`,
      );
    await server.connect(transport);
    // stdout is the protocol's; people read stderr.
    context.output.note(`Serving ${options.library} ${version} over MCP on stdin and stdout.`);
    await Promise.race([stopped, gone.then(answered)]);
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

/** Requests as the SDK lets them through; what is in them is looked at below, so that each fault has its own code. */
const request = <Method extends string>(method: Method) =>
  z.object({ method: z.literal(method), params: z.unknown().optional() });

/**
 * An MCP server that lists and calls the tools of one version.
 * @returns it, and what waits until all that was asked of it so far is answered.
 */
export function libraryServer(
  libraries: LibrariesClient,
  library: string,
  version: string,
): { server: Server; answered: () => Promise<void> } {
  const server = new Server(
    { name: `agentmill ${library}`, version },
    {
      capabilities: { tools: {} },
      instructions: `The tools of the library "${library}", version ${version}: pure functions, run in a sandbox.`,
    },
  );
  const working = new Set<Promise<unknown>>();
  const track = async <T>(body: () => Promise<T>): Promise<T> => {
    const result = asMcp(body);
    working.add(result);
    try {
      return await result;
    } finally {
      working.delete(result);
    }
  };
  server.setRequestHandler(request('tools/list'), (asked) =>
    track(async () => {
      const { params } = messageOf(ListToolsRequestSchema, asked);
      const { tools, nextCursor } = await libraries.mcpTools(library, version, params?.cursor);
      return { tools, ...(nextCursor === undefined ? {} : { nextCursor }) };
    }),
  );
  server.setRequestHandler(request('tools/call'), (asked) =>
    track(async () => {
      const { params } = messageOf(CallToolRequestSchema, asked);
      return called(() =>
        libraries.invoke(library, params.name, { arguments: params.arguments ?? {}, version }),
      );
    }),
  );
  const answered = async (): Promise<void> => {
    // The SDK begins and ends each request in steps of its own.
    await setImmediate();
    await Promise.allSettled(working);
    await setImmediate();
  };
  return { server, answered };
}

/** @throws McpError for a request that is not of the protocol. */
function messageOf<T>(schema: z.ZodType<T>, asked: unknown): T {
  const parsed = schema.safeParse(asked);
  if (parsed.success) return parsed.data;
  throw new McpError(ErrorCode.InvalidParams, z.prettifyError(parsed.error));
}

/** Arguments that do not fit, like what a tool raises, are for the model to read and put right (MCP, SEP-1303). */
async function called(invoke: () => Promise<InvokeAnswer>): Promise<CallToolResult> {
  try {
    return resultOf(await invoke());
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.usage) throw error;
    return failure([error.message, ...error.details].join(' '));
  }
}

const failure = (text: string): CallToolResult => ({ isError: true, content: [{ type: 'text', text }] });

/** What a tool raises is a result that the model can act on, not an error of the protocol. */
export function resultOf(answer: InvokeAnswer): CallToolResult {
  if (!answer.ok) return failure(`${answer.error.type}: ${answer.error.message}`);
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
