import * as fs from 'node:fs';
import type { Clock } from '#shared/determinism/clock.ts';
import { conflict, invalidInput, isError } from '#shared/task/errors.ts';
import { checkBucket, checkKey, printable } from '../keys.ts';
import { checkPutOptions, checkPresign, resolveRange } from '../object-rules.ts';
import type {
  ArtifactBody,
  ArtifactHead,
  Artifacts,
  Body,
  ListOptions,
  ListPage,
  PresignOptions,
  PutOptions,
  PutResult,
} from '../ports.ts';
import type { Database } from './database.ts';
import { listPage } from './listing.ts';
import { diskError, type ObjectFiles, type TempFile } from './object-files.ts';
import { etagOf, type ObjectFacts, type ObjectIndex } from './object-index.ts';
import type { Outbox } from './outbox.ts';
import { presignObject } from './presign.ts';

export interface ObjectStore {
  db: Database;
  clock: Clock;
  files: ObjectFiles;
  index: ObjectIndex;
  outbox: Outbox;
  secret(): Uint8Array;
  /** Put before presigned paths, such as `http://127.0.0.1:8787`. */
  publicUrl(): string;
}

/** Bodies up to this size are read at once; larger ones are streamed. */
const WHOLE_BYTES = 256 * 1024;
const STREAM_CHUNK = 256 * 1024;

/** Closes the files of bodies that were asked for and never read. */
const unread = new FinalizationRegistry<{ fd: number | undefined }>((file) => closeOnce(file));

function closeOnce(file: { fd: number | undefined }): void {
  if (file.fd !== undefined) fs.closeSync(file.fd);
  file.fd = undefined;
}

/** The artifacts port on a directory: plain files, with hashes and metadata in SQLite. */
export class EmbeddedArtifacts implements Artifacts {
  readonly bucket: string;
  readonly #store: ObjectStore;

  constructor(bucket: string, store: ObjectStore) {
    this.bucket = checkBucket(bucket);
    this.#store = store;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key);
    checkPutOptions(options);
    const temp = await this.#store.files.writeTemp(body);
    try {
      return this.#commit(key, temp, options);
    } finally {
      this.#store.files.discard(temp);
    }
  }

  /** Announces the event, then under the write lock checks, places the file and confirms: a crash between leaves the
   * announcement, which the next start settles by the etag. */
  #commit(key: string, temp: TempFile, options: PutOptions): PutResult {
    const { db, files, index, outbox, clock } = this.#store;
    const etag = etagOf(temp.sha256);
    const time = clock.now();
    const id = outbox.announce({ bucket: this.bucket, key, etag, bytes: temp.bytes, time });
    let placed = false;
    try {
      db.transaction(() => {
        if (options.ifMatch !== undefined) this.#requireEtag(key, options.ifMatch);
        const identity = files.place(temp, this.bucket, key, options.ifAbsent === true);
        placed = true;
        index.write(this.bucket, key, identity, {
          sha256: temp.sha256,
          modified: time,
          contentType: options.contentType,
          metadata: options.metadata ?? {},
          tags: options.tags ?? {},
        });
        outbox.confirm(id);
      });
    } catch (error) {
      if (!placed) outbox.forget(id);
      throw error;
    }
    outbox.wake();
    return { etag, sha256: temp.sha256, bytes: temp.bytes };
  }

  #requireEtag(key: string, etag: string): void {
    const current = this.#store.index.look(this.bucket, key).etag;
    if (current !== etag) {
      throw conflict(`The object "${printable(key)}" has etag ${current}, not ${printable(etag)}.`, {
        data: { etag: current },
      });
    }
  }

  async get(key: string, options: { range?: { start: number; end?: number } } = {}): Promise<ArtifactBody> {
    checkKey(key);
    const { files, index } = this.#store;
    const opened = files.open(this.bucket, key);
    const file: { fd: number | undefined } = { fd: opened.fd };
    try {
      const head = headOf(key, opened.bytes, index.facts(this.bucket, key, opened));
      const { start, end } = resolveRange(options.range, opened.bytes, key);
      if (end - start > WHOLE_BYTES) {
        const body = stream(file, start, end);
        unread.register(body, file);
        return { ...head, body };
      }
      const chunk = Buffer.alloc(end - start);
      let read = 0;
      while (read < chunk.length) {
        const count = fs.readSync(opened.fd, chunk, read, chunk.length - read, start + read);
        if (count === 0) break;
        read += count;
      }
      closeOnce(file);
      return { ...head, body: single(chunk.subarray(0, read)) };
    } catch (error) {
      closeOnce(file);
      throw diskError(error);
    }
  }

  async head(key: string): Promise<ArtifactHead> {
    checkKey(key);
    const { bytes, ...facts } = this.#store.index.look(this.bucket, key);
    return headOf(key, bytes, facts);
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    const { files, index } = this.#store;
    const { items, next } = listPage(files.pathOf(this.bucket, ''), options);
    const page: ListPage = { objects: [], prefixes: [], ...(next === undefined ? {} : { next }) };
    for (const item of items) {
      if ('group' in item) {
        page.prefixes.push(item.group);
        continue;
      }
      try {
        const { etag, bytes, modified } = index.lookListed(this.bucket, item.key, item.stats);
        page.objects.push({ key: item.key, etag, bytes, modified });
      } catch (error) {
        // Deleted since the directory was read.
        if (!isError(error, 'NotFound')) throw error;
      }
    }
    return page;
  }

  async copy(from: string, to: string): Promise<PutResult> {
    checkKey(to);
    const source = await this.get(from);
    const { tags } = this.#store.index.look(this.bucket, from);
    return this.put(to, source.body, {
      metadata: source.metadata,
      tags,
      ...(source.contentType === undefined ? {} : { contentType: source.contentType }),
    });
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    const { db, files, index } = this.#store;
    db.transaction(() => {
      files.remove(this.bucket, key);
      index.remove(this.bucket, key);
    });
  }

  async presign(
    key: string,
    options: PresignOptions,
  ): Promise<{ url: string; headers: Record<string, string> }> {
    checkKey(key);
    checkPresign(options);
    const now = Math.floor(this.#store.clock.now() / 1000);
    const { url, headers } = presignObject(this.#store.secret(), this.bucket, key, options, now);
    return { url: this.#store.publicUrl() + url, headers };
  }
}

function headOf(key: string, bytes: number, facts: ObjectFacts): ArtifactHead {
  return {
    key,
    etag: facts.etag,
    bytes,
    modified: facts.modified,
    sha256: facts.sha256,
    metadata: facts.metadata,
    ...(facts.contentType === undefined ? {} : { contentType: facts.contentType }),
  };
}

async function* single(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  if (chunk.byteLength > 0) yield chunk;
}

async function* stream(
  file: { fd: number | undefined },
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  if (file.fd === undefined) throw invalidInput('This body was read already: get the object again.');
  const fd = file.fd;
  file.fd = undefined;
  const options = { fd, start, end: end - 1, highWaterMark: STREAM_CHUNK, autoClose: true };
  try {
    yield* fs.createReadStream('', options) as AsyncIterable<Buffer>;
  } catch (error) {
    throw diskError(error);
  }
}
