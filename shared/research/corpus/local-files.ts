import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { conflict } from '#shared/task/errors.ts';

/** Local copies of indexes: SQLite reads files, artifacts are objects. One folder a process, gone when it ends. */

const PREFIX = 'agentmill-corpora-';

let folder: string | undefined;

/** The process's folder. */
export function localFolder(): string {
  if (folder === undefined) {
    sweep();
    folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    process.once('exit', () => rmSync(folder!, { recursive: true, force: true }));
  }
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Removes what processes left that were killed. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : NaN;
    if (!Number.isInteger(pid) || pid <= 0 || alive(pid)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Copies an object to a file; the file is there whole or not at all. @throws Conflict where its content is another. */
export async function download(
  artifacts: Artifacts,
  ref: Pick<ArtifactRef, 'key' | 'sha256'>,
  path: string,
): Promise<void> {
  const { body } = await artifacts.get(ref.key);
  const hash = createHash('sha256');
  const part = `${path}.${process.hrtime.bigint()}.part`;
  try {
    await pipeline(
      Readable.from(body),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(part),
    );
    if (hash.digest('hex') !== ref.sha256)
      throw conflict(
        `The index "${ref.key}" is not the content it was published as: delete it and index again.`,
      );
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}

/** Hex SHA-256 of a file; undefined where there is none. */
export async function hashOfFile(path: string): Promise<string | undefined> {
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
