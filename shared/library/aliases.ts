import { allItems } from '#shared/storage/all-items.ts';
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
  const items = await allItems(runtime.records, { pk: libraryPk(libraryId), sk: { prefix: 'ALIAS#' } });
  return items.map((item) => aliasOf(libraryId, item.sk.slice('ALIAS#'.length), item));
}

/**
 * Points an alias at a version. Of several who move it at the same time without a condition, the last one wins.
 * @param request.version a version, or an alias whose version it then is.
 * @param request.ifVersion the version it must point at now; without it, whatever it points at.
 * @throws Conflict where it points elsewhere; NotFound for an unknown version.
 */
export async function setAlias(
  runtime: Runtime,
  request: { libraryId: string; name: string; version: string; ifVersion?: string },
): Promise<Alias> {
  const { libraryId, name } = request;
  if (!ALIAS_NAME.test(name)) {
    throw invalidInput(`"${name.slice(0, 60)}" is no alias.`, {
      problems: [
        {
          pointer: '/alias',
          code: 'invalid-format',
          detail: 'It is a letter, then letters, digits and hyphens, at most 41 in all.',
        },
      ],
    });
  }
  const version = await resolveVersion(runtime, libraryId, request.version);
  await readManifest(runtime, libraryId, version);
  for (;;) {
    const moved = await moveOnce(runtime, { ...request, version });
    if (moved) return moved;
  }
}

/** @returns undefined where another write came between and nothing hangs on what it wrote. */
async function moveOnce(
  runtime: Runtime,
  { libraryId, name, version, ifVersion }: Parameters<typeof setAlias>[1],
): Promise<Alias | undefined> {
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
    if (ifVersion === undefined) return undefined;
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
