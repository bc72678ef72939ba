import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { checkKey } from '#shared/storage/keys.ts';
import type {
  ArtifactBody,
  ArtifactHead,
  Artifacts,
  Body,
  ListOptions,
  ListPage,
  PutOptions,
  PutResult,
} from '#shared/storage/ports.ts';
import { conflict, invalidInput, notFound } from '#shared/task/errors.ts';

interface StoredObject {
  bytes: Uint8Array;
  modified: number;
  contentType?: string;
  metadata?: Record<string, string>;
}

/** Where the objects of a bucket are kept. */
interface Shelf {
  exists(): boolean;
  read(key: string): StoredObject | undefined;
  write(key: string, object: StoredObject): void;
  remove(key: string): void;
  keys(): string[];
}

/** Objects in memory; a bucket is there once something was put into it. */
export function memoryObjects(now: () => number): (bucket: string) => Artifacts {
  const buckets = new Map<string, Map<string, StoredObject>>();
  return (bucket) =>
    new ShelfArtifacts(bucket, now, {
      exists: () => buckets.has(bucket),
      read: (key) => buckets.get(bucket)?.get(key),
      write: (key, object) => {
        const objects = buckets.get(bucket) ?? new Map<string, StoredObject>();
        buckets.set(bucket, objects.set(key, object));
      },
      remove: (key) => buckets.get(bucket)?.delete(key),
      keys: () => [...(buckets.get(bucket)?.keys() ?? [])],
    });
}

/** Bucket `b`, key `x/y` is the file `<directory>/b/x/y`; a bucket is there when its directory is. */
export function directoryObjects(directory: string, now: () => number): (bucket: string) => Artifacts {
  return (bucket) => {
    const root = join(directory, checkBucket(bucket));
    const isFile = (key: string): boolean =>
      existsSync(join(root, key)) && statSync(join(root, key)).isFile();
    return new ShelfArtifacts(bucket, now, {
      exists: () => existsSync(root) && statSync(root).isDirectory(),
      read: (key) =>
        isFile(key)
          ? { bytes: readFileSync(join(root, key)), modified: Math.floor(statSync(join(root, key)).mtimeMs) }
          : undefined,
      write: (key, { bytes }) => {
        mkdirSync(dirname(join(root, key)), { recursive: true });
        writeFileSync(join(root, key), bytes);
      },
      remove: (key) => rmSync(join(root, key), { force: true }),
      keys: () =>
        readdirSync(root, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) =>
            join(entry.parentPath, entry.name)
              .slice(root.length + 1)
              .split(sep)
              .join('/'),
          ),
    });
  };
}

/** A bucket's name is one directory's; unlike on AWS it may be as short as one character. */
function checkBucket(bucket: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(bucket) && !bucket.includes('..')) return bucket;
  throw invalidInput(`${JSON.stringify(bucket)} is no bucket name: use letters, digits, dots and hyphens.`);
}

/** The artifacts port for `states run`: whole objects, S3's errors for what is absent. */
class ShelfArtifacts implements Artifacts {
  readonly bucket: string;
  readonly #now: () => number;
  readonly #shelf: Shelf;

  constructor(bucket: string, now: () => number, shelf: Shelf) {
    this.bucket = checkBucket(bucket);
    this.#now = now;
    this.#shelf = shelf;
  }

  #object(key: string): StoredObject {
    checkKey(key);
    const object = this.#shelf.exists() ? this.#shelf.read(key) : this.#noBucket();
    if (!object)
      throw notFound(`There is no object '${key}' in the bucket '${this.bucket}'.`, {
        data: { code: 'NoSuchKey' },
      });
    return object;
  }

  #noBucket(): never {
    throw notFound(`There is no bucket '${this.bucket}'.`, { data: { code: 'NoSuchBucket' } });
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key);
    const bytes = await collect(body);
    const before = this.#shelf.exists() ? this.#shelf.read(key) : undefined;
    if (options.ifAbsent && before) throw conflict(`The object '${key}' exists already.`);
    if (options.ifMatch !== undefined) {
      if (etagOf(this.#object(key).bytes) !== options.ifMatch)
        throw conflict(`The object '${key}' has changed.`);
    }
    const { contentType, metadata } = options;
    this.#shelf.write(key, {
      bytes,
      modified: this.#now(),
      ...(contentType === undefined ? {} : { contentType }),
      ...(metadata === undefined ? {} : { metadata }),
    });
    return {
      etag: etagOf(bytes),
      sha256: createHash('sha256').update(bytes).digest('hex'),
      bytes: bytes.byteLength,
    };
  }

  async get(key: string, options: { range?: { start: number; end?: number } } = {}): Promise<ArtifactBody> {
    const object = this.#object(key);
    const { start, end } = options.range ?? { start: 0 };
    const part = object.bytes.subarray(start, end);
    return {
      ...headOf(key, object),
      body: (async function* () {
        yield part;
      })(),
    };
  }

  async head(key: string): Promise<ArtifactHead> {
    return headOf(key, this.#object(key));
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    const { prefix = '', delimiter, after, limit = 1000 } = options;
    if (!this.#shelf.exists()) this.#noBucket();
    const page: ListPage = { objects: [], prefixes: [] };
    let last: string | undefined;
    for (const key of this.#shelf
      .keys()
      .filter((each) => each.startsWith(prefix))
      .sort(byBytes)) {
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const group = cut < 0 ? undefined : key.slice(0, cut + delimiter!.length);
      const entry = group ?? key;
      if ((after !== undefined && byBytes(entry, after) <= 0) || entry === last) continue;
      if (page.objects.length + page.prefixes.length === limit) return { ...page, next: last! };
      last = entry;
      if (group !== undefined) {
        page.prefixes.push(group);
        continue;
      }
      const object = this.#shelf.read(key)!;
      page.objects.push({
        key,
        etag: etagOf(object.bytes),
        bytes: object.bytes.byteLength,
        modified: object.modified,
      });
    }
    return page;
  }

  async copy(from: string, to: string): Promise<PutResult> {
    return this.put(to, this.#object(from).bytes);
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    if (this.#shelf.exists()) this.#shelf.remove(key);
  }

  presign(): Promise<never> {
    return Promise.reject(invalidInput('`states run` has no HTTP gateway, so no addresses can be signed.'));
  }
}

/** S3's etag of an object put in one piece. */
const etagOf = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

const headOf = (key: string, object: StoredObject): ArtifactHead => ({
  key,
  etag: etagOf(object.bytes),
  bytes: object.bytes.byteLength,
  modified: object.modified,
  ...(object.contentType === undefined ? {} : { contentType: object.contentType }),
  metadata: object.metadata ?? {},
});

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function collect(body: Body): Promise<Uint8Array> {
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
