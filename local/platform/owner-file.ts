import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who serves a data directory, for other processes on the machine to find. */
export interface Owner {
  url: string;
  pid: number;
  bucket: string;
  /** What its API asks for when it is bound off loopback; the file is its user's alone. */
  token?: string;
}

const pathOf = (dataDir: string): string => join(dataDir, 'platform.json');

export function writeOwner(dataDir: string, owner: Owner): void {
  const path = pathOf(dataDir);
  writeFileSync(`${path}.${owner.pid}`, JSON.stringify(owner), { mode: 0o600 });
  renameSync(`${path}.${owner.pid}`, path);
}

/** The owner a file names, alive or not; undefined where there is none or it cannot be read. */
export function readOwner(dataDir: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(pathOf(dataDir), 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

/** Removes the file when it still names `pid`. */
export function removeOwner(dataDir: string, pid: number): void {
  if (readOwner(dataDir)?.pid === pid) rmSync(pathOf(dataDir), { force: true });
}
