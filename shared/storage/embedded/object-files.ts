import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomIds } from '#shared/determinism/ids.ts';
import { conflict, invalidInput, isError, notFound, storageUnavailable } from '#shared/task/errors.ts';
import { printable, TEMP_PREFIX } from '../keys.ts';
import type { Body } from '../ports.ts';
import type { Fsync } from './database.ts';

/** A body written beside the objects, on its way to become one. */
export interface TempFile {
  path: string;
  sha256: string;
  bytes: number;
}

export interface OpenFile {
  fd: number;
  bytes: number;
  identity: string;
  modified: number;
}

/** Tells one content of a path from another: replacing or changing a file changes it. */
export const identityOf = (stats: fs.BigIntStats): string => `${stats.size}:${stats.mtimeNs}:${stats.ino}`;

const NO_SUCH = new Set(['ENOENT', 'ENOTDIR']);
const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? '');

/** Turns failures of the disk (full, too many files, too large) into StorageUnavailable. */
export function diskError(error: unknown): unknown {
  if (isError(error) || !(error instanceof Error) || !('syscall' in error)) return error;
  return storageUnavailable(`The disk refused ${String(error.syscall)}: ${codeOf(error)}.`, { cause: error });
}

/** The plain files below `objects/`: one directory a bucket, one file an object, temporary files apart. */
export class ObjectFiles {
  readonly root: string;
  readonly #temp: string;
  readonly #full: boolean;

  constructor(dataDir: string, fsync: Fsync) {
    fs.mkdirSync(join(dataDir, 'objects', TEMP_PREFIX), { recursive: true });
    this.root = fs.realpathSync.native(join(dataDir, 'objects'));
    this.#temp = join(this.root, TEMP_PREFIX);
    this.#full = fsync === 'full';
  }

  pathOf(bucket: string, key: string): string {
    return join(this.root, bucket, key);
  }

  /** Writes a body to a temporary file, hashing it on the way. Nothing is left of a body that fails. */
  async writeTemp(body: Body): Promise<TempFile> {
    const path = join(this.#temp, `${process.pid}-${randomIds.hex(64)}`);
    try {
      if (typeof body === 'string' || body instanceof Uint8Array) return this.#writeWhole(path, body);
      return await this.#writeStream(path, body);
    } catch (error) {
      fs.rmSync(path, { force: true });
      throw diskError(error);
    }
  }

  #writeWhole(path: string, body: string | Uint8Array): TempFile {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    fs.writeFileSync(path, bytes, { flag: 'wx', flush: this.#full });
    return { path, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.byteLength };
  }

  async #writeStream(path: string, body: AsyncIterable<Uint8Array>): Promise<TempFile> {
    const hash = createHash('sha256');
    let bytes = 0;
    const file = await open(path, 'wx');
    try {
      for await (const chunk of body) {
        hash.update(chunk);
        for (let at = 0; at < chunk.byteLength;) at += (await file.write(chunk, at)).bytesWritten;
        bytes += chunk.byteLength;
      }
      if (this.#full) await file.sync();
    } finally {
      await file.close();
    }
    return { path, sha256: hash.digest('hex'), bytes };
  }

  discard(temp: TempFile): void {
    fs.rmSync(temp.path, { force: true });
  }

  /**
   * Makes a temporary file the object's, replacing what was there, or with `ifAbsent` only where nothing was.
   * Returns the identity of the stored file.
   * @throws Conflict when an object is there (`ifAbsent`), above the key or below it.
   */
  place(temp: TempFile, bucket: string, key: string, ifAbsent: boolean): string {
    const path = this.pathOf(bucket, key);
    try {
      this.#retryingMissingParent(path, key, () => {
        if (ifAbsent) fs.linkSync(temp.path, path);
        else fs.renameSync(temp.path, path);
      });
      if (this.#full) this.#syncParents(path);
      return identityOf(fs.lstatSync(path, { bigint: true }));
    } catch (error) {
      throw diskError(error);
    }
  }

  #retryingMissingParent(path: string, key: string, move: () => void): void {
    for (let attempt = 1; ; attempt++) {
      this.#makeParent(path, key);
      try {
        return move();
      } catch (error) {
        const code = codeOf(error);
        if (code === 'ENOTDIR') throw conflict(`"${printable(key)}" lies below an existing object.`);
        const inTheWay = code === 'EEXIST' || code === 'EISDIR' || code === 'ENOTEMPTY';
        // A delete may prune the parent between the two calls, or have left an empty directory of this name.
        const mended = inTheWay ? isEmptied(path) : code === 'ENOENT';
        if (mended && attempt < 10) continue;
        if (!inTheWay) throw error;
        throw conflict(`There is already an object "${printable(key)}" or one below it.`);
      }
    }
  }

  #makeParent(path: string, key: string): void {
    const parent = dirname(path);
    // Before making anything: a link must not lead the new directories out of the tree.
    if (this.#refuseLinks(parent, key)) return;
    try {
      fs.mkdirSync(parent, { recursive: true });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOTDIR') throw error;
      throw conflict(`"${printable(key)}" lies below an existing object.`);
    }
  }

  /**
   * Whether a directory is there.
   * @throws InvalidInput when it, or the deepest directory above it that is there, is reached through a link.
   */
  #refuseLinks(directory: string, key: string): boolean {
    let real: string;
    try {
      real = fs.realpathSync.native(directory);
    } catch (error) {
      if (!NO_SUCH.has(codeOf(error))) throw error;
      if (directory !== this.root) this.#refuseLinks(dirname(directory), key);
      return false;
    }
    if (real !== directory) throw invalidInput(`"${printable(key)}" leads through a symbolic link.`);
    return true;
  }

  #syncParents(path: string): void {
    for (let directory = dirname(path); directory.startsWith(this.root); directory = dirname(directory)) {
      const fd = fs.openSync(directory, 'r');
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    }
  }

  /** Opens an object for reading; the caller closes `fd`. @throws NotFound; InvalidInput behind a symbolic link. */
  open(bucket: string, key: string): OpenFile {
    const path = this.pathOf(bucket, key);
    const missing = (): Error => notFound(`There is no object "${printable(key)}" in ${bucket}.`);
    let fd: number;
    try {
      this.#refuseLinks(dirname(path), key);
      fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    } catch (error) {
      const code = codeOf(error);
      if (NO_SUCH.has(code)) throw missing();
      if (code === 'ELOOP') throw invalidInput(`"${printable(key)}" is a symbolic link.`);
      throw diskError(error);
    }
    const stats = fs.fstatSync(fd, { bigint: true });
    if (!stats.isFile()) {
      fs.closeSync(fd);
      throw missing();
    }
    return { fd, bytes: Number(stats.size), identity: identityOf(stats), modified: Number(stats.mtimeMs) };
  }

  /** Removes an object and the directories it leaves empty; absent is fine. */
  remove(bucket: string, key: string): void {
    const path = this.pathOf(bucket, key);
    this.#refuseLinks(dirname(path), key);
    try {
      fs.unlinkSync(path);
    } catch (error) {
      const code = codeOf(error);
      if (NO_SUCH.has(code) || code === 'EISDIR' || code === 'EPERM') return;
      throw diskError(error);
    }
    const top = join(this.root, bucket);
    for (let parent = dirname(path); parent !== top; parent = dirname(parent)) {
      if (!isEmptied(parent)) break;
    }
  }

  /** Deletes temporary files of processes that are gone. */
  sweepTemp(isAlive: (pid: number, madeAt: number) => boolean): void {
    for (const name of fs.readdirSync(this.#temp)) {
      const path = join(this.#temp, name);
      const stats = fs.lstatSync(path, { throwIfNoEntry: false });
      if (stats && !isAlive(Number.parseInt(name, 10), stats.mtimeMs)) fs.rmSync(path, { force: true });
    }
  }
}

/** Removes a directory where it is one and empty; true when it is gone. */
function isEmptied(path: string): boolean {
  try {
    fs.rmdirSync(path);
    return true;
  } catch (error) {
    return codeOf(error) === 'ENOENT';
  }
}

/** Hex SHA-256 of an open file from its beginning, without moving its position. */
export function hashOpenFile(fd: number): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(1 << 20);
  for (let position = 0; ;) {
    const read = fs.readSync(fd, chunk, 0, chunk.length, position);
    if (read === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, read));
    position += read;
  }
}
