import { readFile } from 'node:fs/promises';
import defaults from '../../models.json' with { type: 'json' };
import type { Clock } from '#shared/determinism/clock.ts';
import type { Json, Records } from '#shared/storage/ports.ts';
import { invalidInput, isError, type FieldProblem } from '#shared/task/errors.ts';
import { readEntry } from './registry/entry.ts';
import { mergePatch, putOverlay, readOverlays, type Overlay } from './registry/overlay.ts';
import { FileSchema } from './registry/schema.ts';
import type { ModelEntry, Price, Registry, RouteEntry } from './types.ts';

/** How long overlays may be stale. */
const REREAD_MS = 60_000;

/** The part of a Runtime the registry needs. */
interface Source {
  records: Records;
  clock: Clock;
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a registry: the content of models.json under the overlays (model-inference section 3).
 * @param file the parsed models.json; `where` names it in errors.
 * @throws InvalidInput listing every fault by its field.
 */
export function parseRegistry(file: unknown, overlays: Overlay[] = [], where = 'models.json'): Registry {
  const parsed = FileSchema.safeParse(file);
  if (!parsed.success) {
    refuse(
      where,
      [],
      parsed.error.issues.map((issue) => ({
        pointer: `/${issue.path.map(String).join('/')}`,
        code: issue.code,
        detail: issue.message,
      })),
    );
  }
  const problems: FieldProblem[] = [];
  const patches = new Map(overlays.map((overlay) => [overlay.name, overlay]));
  const models = new Map<string, ModelEntry>();
  const names = new Set<string>();

  const add = (raw: unknown, pointer: string): void => {
    const read = readEntry(raw, pointer);
    problems.push(...read.problems);
    if (read.model) models.set(read.model.name, read.model);
  };
  parsed.data.models.forEach((raw, index) => {
    const pointer = `/models/${index}`;
    const name = nameOf(raw);
    if (name !== undefined) {
      if (names.has(name)) {
        problems.push({
          pointer: `${pointer}/name`,
          code: 'duplicate',
          detail: `Two models are named \`${name}\`.`,
        });
        return;
      }
      names.add(name);
    }
    const overlay = name === undefined ? undefined : patches.get(name);
    if (!overlay) {
      add(raw, pointer);
      return;
    }
    patches.delete(overlay.name);
    const merged = mergePatch(raw as Json, overlay.patch) as Record<string, Json>;
    const at = `/records/MODEL#${overlay.name}`;
    for (const fixed of ['name', 'provider']) {
      if (merged[fixed] !== (raw as Record<string, unknown>)[fixed]) {
        problems.push({
          pointer: `${at}/${fixed}`,
          code: 'fixed',
          detail: `An overlay never changes the ${fixed} of a model; add a model of another name.`,
        });
        return;
      }
    }
    add(merged, at);
  });
  for (const overlay of patches.values()) {
    const at = `/records/MODEL#${overlay.name}`;
    names.add(overlay.name);
    add(mergePatch({ name: overlay.name }, overlay.patch), at);
    if (nameOf(mergePatch({ name: overlay.name }, overlay.patch)) !== overlay.name) {
      problems.push({
        pointer: `${at}/name`,
        code: 'fixed',
        detail: 'The overlay of a model must not rename it.',
      });
    }
  }
  const routes = readRoutes(parsed.data.routes ?? [], names, problems);
  if (problems.length > 0) refuse(where, parsed.data.models, problems);
  for (const model of models.values()) upstreamOf(model, models, problems);
  if (problems.length > 0) refuse(where, parsed.data.models, problems);
  return { models, routes };
}

function nameOf(raw: unknown): string | undefined {
  const name = (raw as { name?: unknown } | null)?.name;
  return typeof name === 'string' ? name : undefined;
}

function readRoutes(
  entries: RouteEntry[],
  models: Set<string>,
  problems: FieldProblem[],
): Map<string, RouteEntry> {
  const routes = new Map<string, RouteEntry>();
  entries.forEach((route, index) => {
    const pointer = `/routes/${index}`;
    if (routes.has(route.name) || models.has(route.name)) {
      problems.push({
        pointer: `${pointer}/name`,
        code: 'duplicate',
        detail: `\`${route.name}\` is the name of another route or model.`,
      });
    }
    route.models.forEach((name, at) => {
      if (!models.has(name))
        problems.push({
          pointer: `${pointer}/models/${at}`,
          code: 'unknown',
          detail: `There is no model \`${name}\`.`,
        });
      if (route.models.indexOf(name) !== at)
        problems.push({
          pointer: `${pointer}/models/${at}`,
          code: 'duplicate',
          detail: `\`${name}\` is listed twice.`,
        });
    });
    routes.set(route.name, route);
  });
  return routes;
}

function upstreamOf(model: ModelEntry, models: Map<string, ModelEntry>, problems: FieldProblem[]): void {
  const { upstream } = model.endpoint;
  if (upstream === undefined) return;
  const target = models.get(upstream);
  if (!target || target.provider === 'replay' || target.provider === 'sagemaker-async') {
    problems.push({
      pointer: `/models/${model.name}/endpoint/upstream`,
      code: 'unknown',
      detail: `endpoint.upstream of \`${model.name}\` must name a synchronous model of the registry, not \`${upstream}\`.`,
    });
  }
}

/** @param entries of the file: a fault in one names its model beside its place. */
function refuse(where: string, entries: unknown[], problems: FieldProblem[]): never {
  const lines = problems.map(({ pointer, detail }) => {
    const name = nameOf(entries[Number(/^\/models\/(\d+)(?:\/|$)/.exec(pointer)?.[1] ?? -1)]);
    return `${pointer}${name === undefined ? '' : ` (${name.slice(0, 64)})`}: ${detail}`;
  });
  throw invalidInput(`${where} is not usable. ${lines.join(' ')}`, { problems });
}

interface Loaded {
  at: number;
  registry: Registry;
}
const loaded = new WeakMap<Records, Map<string, Loaded>>();

/**
 * The registry of a runtime: models.json (the file that `AGENTMILL_MODELS` names, else the one this code came with)
 * under the records' overlays. Cheap to call often: overlays are reread when the last reading is 60 s old, and a
 * rereading that storage refuses keeps the last one.
 * @throws InvalidInput listing every fault by its field.
 */
export async function loadRegistry(runtime: Source): Promise<Registry> {
  const path = runtime.env.AGENTMILL_MODELS ?? '';
  const cache = loaded.get(runtime.records) ?? new Map<string, Loaded>();
  loaded.set(runtime.records, cache);
  const last = cache.get(path);
  const now = runtime.clock.now();
  if (last && now - last.at < REREAD_MS && now >= last.at) return last.registry;
  let overlays: Overlay[];
  try {
    overlays = await readOverlays(runtime.records);
  } catch (error) {
    if (last && isError(error, 'StorageUnavailable')) return last.registry;
    throw error;
  }
  const registry = parseRegistry(
    path ? await readModelsFile(path) : defaults,
    overlays,
    path || 'models.json',
  );
  cache.set(path, { at: now, registry });
  return registry;
}

/**
 * Writes the overlay of a model: adds, disables, re-limits or re-prices it within 60 s in every process. It is checked
 * first, for a faulty one would stop the loading everywhere.
 * @param overlay.expected the version it replaces; 0: there is none yet.
 * @throws InvalidInput naming each fault by its field; Conflict when another version is there.
 */
export async function writeOverlay(
  runtime: Source,
  overlay: { name: string; patch: Json; by: string; expected: number },
): Promise<Overlay> {
  const path = runtime.env.AGENTMILL_MODELS ?? '';
  const others = (await readOverlays(runtime.records)).filter(({ name }) => name !== overlay.name);
  parseRegistry(
    path ? await readModelsFile(path) : defaults,
    [...others, { name: overlay.name, patch: overlay.patch, version: overlay.expected }],
    `The overlay of ${overlay.name}`,
  );
  return putOverlay(runtime.records, runtime.clock, overlay);
}

/** The names in a models file (`AGENTMILL_MODELS`, else ours), overlays aside. @throws InvalidInput as loadRegistry. */
export async function modelsFileNames(env: Source['env']): Promise<string[]> {
  const path = env.AGENTMILL_MODELS ?? '';
  const { models } = parseRegistry(path ? await readModelsFile(path) : defaults, [], path || 'models.json');
  return [...models.keys()];
}

async function readModelsFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw invalidInput(`AGENTMILL_MODELS: ${path} cannot be read as JSON: ${(error as Error).message}`, {
      problems: [{ pointer: '/AGENTMILL_MODELS', code: 'unreadable', detail: (error as Error).message }],
      cause: error,
    });
  }
}

const FREE: Price = { from: '1970-01-01', inputPerMTok: 0, outputPerMTok: 0 };

/**
 * The price of a model at a time (milliseconds since the epoch): the one with the latest `from` not after it; a day
 * begins at midnight UTC. Models of billing `free` without a price cost 0.
 * @throws InvalidInput when every price starts later.
 */
export function priceAt(model: ModelEntry, at: number): Price {
  let found: Price | undefined;
  for (const price of model.price) {
    if (Date.parse(price.from) <= at && (!found || price.from > found.from)) found = price;
  }
  if (found) return found;
  if (model.billing === 'free') return FREE;
  throw invalidInput(
    `The model ${model.name} has no price yet: the first one starts on ${model.price[0]?.from ?? 'no day'}.`,
  );
}

/** `<model>@<from>`: which price a ledger row was computed with. */
export function priceVersionOf(model: ModelEntry, price: Price): string {
  return `${model.name}@${price.from}`;
}
