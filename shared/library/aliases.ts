import type { RecordItem } from '#shared/storage/ports.ts';
import { conflict, invalidInput, isError, notFound } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { libraryPk, readManifest } from './store.ts';
import { AliasSchema, type Alias } from './types.ts';

/** Names for versions of a library, such as `latest`: what a client pins, and what a roll-back moves (section 3). */

export const LATEST = 'latest';
export const ALIAS_NAME = /^[a-z][a-z0-9-]{0,40}$/;
export const VERSION_ID = /^v_[0-9a-f]{16}$/;
/** Earlier versions of an alias that are remembered. */
const PREVIOUS = 50;

const keyOf = (libraryId: string, name: string) => ({ pk: libraryPk(libraryId), sk: `ALIAS#${name}` });

const aliasOf = (libraryId: string, name: string, item: RecordItem): Alias =>
  AliasSchema.parse({
    libraryId,
    name,
    version: item.attributes.version,
    previous: item.attributes.previous,
  });

export async function readAlias(
  runtime: Runtime,
  libraryId: string,
  name: string,
): Promise<Alias | undefined> {
  const item = await runtime.records.get(keyOf(libraryId, name));
  return item && aliasOf(libraryId, name, item);
}

export async function listAliases(runtime: Runtime, libraryId: string): Promise<Alias[]> {
  const { items } = await runtime.records.query({
    pk: libraryPk(libraryId),
    sk: { prefix: 'ALIAS#' },
    limit: 100,
  });
  return items.map((item) => aliasOf(libraryId, item.sk.slice('ALIAS#'.length), item));
}

/**
 * Points an alias at a version.
 * @param request.ifVersion the version it must point at now; without it, whatever it points at.
 * @throws Conflict where it points elsewhere, or another write came between; NotFound for an unknown version.
 */
export async function setAlias(
  runtime: Runtime,
  request: { libraryId: string; name: string; version: string; ifVersion?: string },
): Promise<Alias> {
  const { libraryId, name, version, ifVersion } = request;
  if (!ALIAS_NAME.test(name))
    throw invalidInput(`"${name}" is no alias: a letter, then letters, digits, hyphens.`);
  await readManifest(runtime, libraryId, version);
  const item = await runtime.records.get(keyOf(libraryId, name));
  const current = item && aliasOf(libraryId, name, item);
  if (ifVersion !== undefined && current?.version !== ifVersion) {
    throw conflict(
      `The alias ${name} points at ${current?.version ?? 'no version'}, not at ${ifVersion}: look again, then decide.`,
      { data: { version: current?.version ?? null } },
    );
  }
  if (current?.version === version) return current;
  const previous = current ? [current.version, ...current.previous].slice(0, PREVIOUS) : [];
  try {
    const written = await runtime.records.put(
      { ...keyOf(libraryId, name), attributes: { version, previous } },
      item ? { ifVersion: item.version } : { ifAbsent: true },
    );
    return aliasOf(libraryId, name, written);
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
    throw conflict(`The alias ${name} was moved by somebody else just now: look again, then decide.`, {
      cause: error,
    });
  }
}

/** The version that a version id or an alias names. @throws NotFound */
export async function resolveVersion(
  runtime: Runtime,
  libraryId: string,
  versionOrAlias = LATEST,
): Promise<string> {
  if (VERSION_ID.test(versionOrAlias)) return versionOrAlias;
  const alias = await readAlias(runtime, libraryId, versionOrAlias);
  if (!alias)
    throw notFound(`The library ${libraryId} has no version or alias "${versionOrAlias.slice(0, 60)}".`);
  return alias.version;
}
