import { readJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { defect, notFound } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { libraryKey, readManifest } from './store.ts';
import { searchIndex, type SearchIndex, type SearchRow } from './search.ts';
import { LibraryToolSchema, type Library, type LibraryTool, type ToolModule } from './types.ts';

/** A published version in memory. Versions never change, so a process keeps the ones it used last. */
export interface LoadedLibrary {
  manifest: Library;
  index: SearchIndex;
  /** Place in the index, by the name of a tool. */
  byName: ReadonlyMap<string, number>;
}

/** Most tools in memory at a time, over all libraries: 100,000 are 205 MB of vectors. */
const MAX_TOOLS = 120_000;

const loaded = new WeakMap<Artifacts, Map<string, Promise<LoadedLibrary>>>();

/**
 * A version ready for search and invocation; remembered by content, least recently used first to go.
 * @throws NotFound where it was never published.
 */
export async function loadLibrary(
  runtime: Runtime,
  libraryId: string,
  version: string,
): Promise<LoadedLibrary> {
  const { artifacts } = runtime;
  let kept = loaded.get(artifacts);
  if (!kept) loaded.set(artifacts, (kept = new Map()));
  const id = `${libraryId} ${version}`;
  let library = kept.get(id);
  kept.delete(id);
  library ??= load(runtime, libraryId, version);
  kept.set(id, library);
  try {
    await library;
  } catch (error) {
    kept.delete(id);
    throw error;
  }
  await forget(kept);
  return library;
}

async function forget(kept: Map<string, Promise<LoadedLibrary>>): Promise<void> {
  let tools = 0;
  for (const [id, library] of [...kept].reverse()) {
    tools += (await library.catch(() => undefined))?.index.rows.length ?? 0;
    if (tools > MAX_TOOLS && id !== [...kept.keys()].at(-1)) kept.delete(id);
  }
}

async function load(runtime: Runtime, libraryId: string, version: string): Promise<LoadedLibrary> {
  const manifest = await readManifest(runtime, libraryId, version);
  const { artifacts } = runtime;
  const rows: SearchRow[] = [];
  for await (const { value } of readJsonl(artifacts, libraryKey(libraryId, version, 'search.jsonl')))
    rows.push(value as SearchRow);
  const matrix = await readFloats(artifacts, libraryKey(libraryId, version, 'vectors.f32'));
  const byName = new Map(rows.map(({ name }, place) => [name, place]));
  return { manifest, index: searchIndex(rows, matrix, manifest.encoder), byName };
}

/** A whole object of little-endian 32-bit floats. */
export async function readFloats(artifacts: Artifacts, key: string): Promise<Float32Array> {
  const { body, bytes } = await artifacts.get(key);
  if (bytes % 4 !== 0) throw defect(`The object "${key}" has ${bytes} bytes: no row of 32-bit floats.`);
  const whole = new Uint8Array(bytes);
  let at = 0;
  for await (const chunk of body) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return new Float32Array(whole.buffer);
}

/** A tool by its name, with the module it needs. @throws NotFound */
export async function toolOf(
  runtime: Runtime,
  { manifest, index, byName }: LoadedLibrary,
  name: string,
): Promise<{ tool: LibraryTool; module?: ToolModule }> {
  const { libraryId, version } = manifest;
  const place = byName.get(name);
  if (place === undefined)
    throw notFound(`The library ${libraryId} (${version}) has no tool "${name.slice(0, 64)}".`);
  const [start, end] = index.rows[place]!.at;
  const { body } = await runtime.artifacts.get(libraryKey(libraryId, version, 'tools.jsonl'), {
    range: { start, end },
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const tool = LibraryToolSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  if (tool.name !== name) throw defect(`The index of ${libraryId} ${version} names another tool at ${name}.`);
  if (tool.moduleId === undefined) return { tool };
  for await (const { value } of readJsonl(
    runtime.artifacts,
    libraryKey(libraryId, version, 'modules.jsonl'),
  )) {
    if ((value as ToolModule).id === tool.moduleId) return { tool, module: value as ToolModule };
  }
  throw defect(`The library ${libraryId} ${version} lacks the module ${tool.moduleId} of ${name}.`);
}
