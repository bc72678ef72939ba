import { hashOf } from '#shared/determinism/hash.ts';
import { isoTime } from '#shared/determinism/clock.ts';
import { readJson, writeJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import { conflict, invalidInput, isError, notFound } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { LIBRARY_ID, LibrarySchema, type Library } from './types.ts';

/**
 * Libraries and their immutable versions (section 3). Files lie under `libraries/<id>/<version>/`, `_SUCCESS` last;
 * records under `LIB#<id>`: `META` (whose it is), `VERSION#<number>`, `ALIAS#<name>`, `COUNT#<version>#<tool>`.
 */

export const libraryPk = (libraryId: string): string => `LIB#${libraryId}`;
const META = 'META';
const versionSk = (number: number): string => `VERSION#${String(number).padStart(6, '0')}`;
/** Every library once, by owner: what lists need. */
const CATALOG = 'LIBRARIES';
const catalogSk = (owner: string, libraryId: string): string => `${owner}#${libraryId}`;

/** Files that are part of a version. `cases` and `mappings` prove it, the rest serves it. */
export const LIBRARY_FILES = [
  'tools.jsonl',
  'modules.jsonl',
  'cases.jsonl',
  'mappings.jsonl',
  'tree.json',
  'report.json',
  'search.jsonl',
  'vectors.f32',
] as const;
export type LibraryFile = (typeof LIBRARY_FILES)[number];

export const libraryKey = (
  libraryId: string,
  version: string,
  file: LibraryFile | 'library.json' | '_SUCCESS',
) => `libraries/${libraryId}/${version}/${file}`;

export interface LibraryFacts {
  libraryId: string;
  owner: string;
  createdAt: string;
}

/** Whose a library is; undefined where there is none. */
export async function libraryFacts(runtime: Runtime, libraryId: string): Promise<LibraryFacts | undefined> {
  if (!LIBRARY_ID.test(libraryId)) return undefined;
  const item = await runtime.records.get({ pk: libraryPk(libraryId), sk: META });
  return item && factsOf(libraryId, item.attributes);
}

const factsOf = (libraryId: string, attributes: Record<string, Json>): LibraryFacts => ({
  libraryId,
  owner: String(attributes.owner),
  createdAt: String(attributes.createdAt),
});

/** On one machine whoever works at it is the same person, by whatever door a job came. */
export const libraryOwner = (runtime: Pick<Runtime, 'kind'>, owner: string): string =>
  runtime.kind === 'embedded' ? 'local' : owner;

/**
 * Makes a library its owner's, once.
 * @throws Conflict where the id is somebody else's.
 */
export async function claimLibrary(runtime: Runtime, libraryId: string, whose: string): Promise<void> {
  const owner = libraryOwner(runtime, whose);
  const known = await libraryFacts(runtime, libraryId);
  if (!known) {
    const attributes = { owner, createdAt: isoTime(runtime.clock.now()) };
    try {
      await runtime.records.put({ pk: libraryPk(libraryId), sk: META, attributes }, { ifAbsent: true });
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      return claimLibrary(runtime, libraryId, whose);
    }
  } else if (known.owner !== owner) {
    throw conflict(`The library id ${libraryId} is taken. Choose another.`);
  }
  // Written again by a repeat, in case the first was stopped between the two.
  await runtime.records.put({
    pk: CATALOG,
    sk: catalogSk(owner, libraryId),
    attributes: { libraryId, owner },
  });
}

export interface LibraryPage {
  items: { libraryId: string; owner: string }[];
  /** Pass as `after`. */
  next?: string;
}

/** @param owner absent: everybody's. */
export async function listLibraries(
  runtime: Runtime,
  { owner, limit, after }: { owner?: string; limit: number; after?: string },
): Promise<LibraryPage> {
  const prefix = owner === undefined ? '' : `${owner}#`;
  const page = await runtime.records.query({
    pk: CATALOG,
    sk: { between: [`${after ?? prefix}\u0001`, `${prefix}\uffff`] },
    limit,
  });
  const items = page.items.map(({ attributes }) => ({
    libraryId: String(attributes.libraryId),
    owner: String(attributes.owner),
  }));
  const last = page.items.at(-1)?.sk;
  return { items, ...(page.cursor === undefined || last === undefined ? {} : { next: last }) };
}

export interface VersionFacts {
  version: string;
  number: number;
  createdAt: string;
  counts: Record<string, number>;
  partial: boolean;
}

/** Versions, newest first. */
export async function listVersions(
  runtime: Runtime,
  libraryId: string,
  { limit, below }: { limit: number; below?: number },
): Promise<VersionFacts[]> {
  const { items } = await runtime.records.query({
    pk: libraryPk(libraryId),
    sk: { between: [versionSk(0), versionSk((below ?? 1_000_000) - 1)] },
    descending: true,
    limit,
  });
  return items.map(({ attributes }) => ({
    version: String(attributes.version),
    number: Number(attributes.number),
    createdAt: String(attributes.createdAt),
    counts: attributes.counts as Record<string, number>,
    partial: attributes.partial === true,
  }));
}

async function findVersion(
  runtime: Runtime,
  libraryId: string,
  version: string,
): Promise<VersionFacts | undefined> {
  for (let below: number | undefined; ;) {
    const page = await listVersions(runtime, libraryId, {
      limit: 100,
      ...(below === undefined ? {} : { below }),
    });
    const found = page.find((each) => each.version === version);
    if (found || page.length < 100) return found;
    below = page.at(-1)!.number;
  }
}

/** The manifest of a version. @throws NotFound where that version was never published. */
export async function readManifest(runtime: Runtime, libraryId: string, version: string): Promise<Library> {
  try {
    return LibrarySchema.parse(
      await readJson(runtime.artifacts, libraryKey(libraryId, version, 'library.json')),
    );
  } catch (error) {
    if (isError(error, 'NotFound')) throw notFound(`The library ${libraryId} has no version ${version}.`);
    throw error;
  }
}

export interface PublishRequest {
  libraryId: string;
  owner: string;
  /** What the version is made of, wherever it lies now. */
  files: Partial<Record<LibraryFile, ArtifactRef>>;
  manifest: Omit<Library, 'libraryId' | 'version' | 'number' | 'files'>;
}

/** `v_` and 16 hex digits of what a version holds: equal contents are one version. */
export const versionOf = (
  files: Partial<Record<LibraryFile, Pick<ArtifactRef, 'sha256'>>>,
  encoder: Library['encoder'],
): string => {
  const contents = Object.entries(files)
    .map(([name, ref]) => [name, ref.sha256])
    .sort();
  return `v_${hashOf([contents, encoder]).slice(0, 16)}`;
};

/**
 * Copies a version's files to their place, gives it the next number and writes its manifest. Doing it again, or
 * publishing equal contents, gives the version that is there.
 * `markPublished` follows when the alias has moved.
 */
export async function publishVersion(runtime: Runtime, request: PublishRequest): Promise<Library> {
  const { libraryId, owner, files, manifest } = request;
  if (!LIBRARY_ID.test(libraryId)) throw invalidInput(`"${libraryId}" is no library id.`);
  await claimLibrary(runtime, libraryId, owner);
  const { artifacts } = runtime;
  const version = versionOf(files, manifest.encoder);
  const listed: Library['files'] = [];
  for (const name of LIBRARY_FILES) {
    const ref = files[name];
    if (!ref) continue;
    const key = libraryKey(libraryId, version, name);
    await artifacts.copy(ref.key, key);
    const { sha256, bytes, count } = ref;
    listed.push({ key, sha256, bytes, ...(count === undefined ? {} : { count }) });
  }
  const { number } = await numberOf(runtime, request, version);
  const library: Library = LibrarySchema.parse({ ...manifest, libraryId, version, number, files: listed });
  const key = libraryKey(libraryId, version, 'library.json');
  try {
    await writeJson(artifacts, key, library, { ifAbsent: true });
  } catch (error) {
    // Equal contents by another way (a configuration, a base): the first manifest holds.
    if (!isError(error, 'Conflict')) throw error;
  }
  return readManifest(runtime, libraryId, version);
}

/** The number of a version: the one it has, or the next. */
async function numberOf(runtime: Runtime, request: PublishRequest, version: string): Promise<VersionFacts> {
  const { libraryId, manifest } = request;
  for (;;) {
    const known = await findVersion(runtime, libraryId, version);
    if (known) return known;
    const [newest] = await listVersions(runtime, libraryId, { limit: 1 });
    const number = (newest?.number ?? 0) + 1;
    const facts: VersionFacts = {
      version,
      number,
      createdAt: isoTime(runtime.clock.now()),
      counts: manifest.counts,
      partial: manifest.partial,
    };
    try {
      await runtime.records.put(
        { pk: libraryPk(libraryId), sk: versionSk(number), attributes: { ...facts } },
        { ifAbsent: true },
      );
      return facts;
    } catch (error) {
      // Somebody else took the number.
      if (!isError(error, 'Conflict')) throw error;
    }
  }
}

/** The last write of a publication. */
export async function markPublished(runtime: Runtime, { libraryId, version }: Library): Promise<void> {
  await runtime.artifacts.put(libraryKey(libraryId, version, '_SUCCESS'), '');
}
