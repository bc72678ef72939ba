import type { Sandbox } from '#shared/sandbox/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { sentenceEncoder } from '#shared/text/encoder.ts';
import { resolveVersion } from './aliases.ts';
import type { Invocation } from './invoke.ts';
import { loadLibrary, type LoadedLibrary } from './load.ts';
import { searchTools, type SearchHit, type SearchQuery } from './search.ts';

/** What the API and the MCP server offer of a library: one door to loading, searching and invoking. */

/** A version of a library by its id or an alias, `latest` where none is named. @throws NotFound */
export const openLibrary = async (
  runtime: Runtime,
  libraryId: string,
  version?: string,
): Promise<LoadedLibrary> =>
  loadLibrary(runtime, libraryId, await resolveVersion(runtime, libraryId, version));

export const search = async (library: LoadedLibrary, query: SearchQuery): Promise<SearchHit[]> =>
  searchTools(library.index, query, await sentenceEncoder());

const sandboxes = new WeakMap<Runtime, Promise<Sandbox>>();

/** Runs a tool in the runtime's own sandbox, whose children end when they idle. */
export async function invoke(
  runtime: Runtime,
  library: LoadedLibrary,
  name: string,
  values: Record<string, Json>,
): Promise<Invocation> {
  let sandbox = sandboxes.get(runtime);
  if (!sandbox) {
    // Loaded when a tool is called: no part of a cold start that only lists or searches.
    sandbox = import('#shared/sandbox/index.ts').then(({ openSandbox }) => openSandbox(runtime));
    sandboxes.set(runtime, sandbox);
    sandbox.catch(() => sandboxes.delete(runtime));
  }
  const { invokeTool } = await import('./invoke.ts');
  return invokeTool(runtime, await sandbox, library, name, values);
}

/** Ends the children that ran a runtime's tools. */
export async function closeSandbox(runtime: Runtime): Promise<void> {
  const sandbox = sandboxes.get(runtime);
  sandboxes.delete(runtime);
  await (await sandbox)?.close();
}
