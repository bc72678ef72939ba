import * as fs from 'node:fs';
import { join } from 'node:path';
import { invalidInput } from '#shared/task/errors.ts';
import { compareUtf8, keyProblem } from '../keys.ts';
import type { ListOptions } from '../ports.ts';

/** One entry of a page: an object, or a group of keys below a delimiter. */
export type Listed = { key: string; stats: fs.BigIntStats } | { group: string };

interface Entry {
  name: string;
  /** The key, or for a directory the start of its keys, ending in `/`. */
  full: string;
  directory: boolean;
}

const nameOf = (item: Listed): string => ('group' in item ? item.group : item.key);

/**
 * One page of a bucket's directory in byte order of whole keys. Symbolic links, special files and names that are no
 * key are passed over; a missing bucket is empty.
 */
export function listPage(directory: string, options: ListOptions): { items: Listed[]; next?: string } {
  const limit = options.limit ?? 1000;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw invalidInput(`A listing's limit is 1 to 1000, not ${String(limit)}.`);
  }
  const items: Listed[] = [];
  for (const item of walk(directory, options)) {
    if (items.length === limit) return { items, next: nameOf(items[limit - 1]!) };
    items.push(item);
  }
  return { items };
}

function* walk(directory: string, { prefix = '', delimiter, after }: ListOptions): Generator<Listed> {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (base !== '' && keyProblem(base.slice(0, -1)) !== undefined) return;
  let group: string | undefined;

  const groupOf = (key: string): string | undefined => {
    if (delimiter === undefined || delimiter === '') return undefined;
    const at = key.indexOf(delimiter, prefix.length);
    return at < 0 ? undefined : key.slice(0, at + delimiter.length);
  };
  const isPast = (text: string): boolean => after === undefined || compareUtf8(text, after) > 0;
  /** Whether a directory can hold keys that this listing still wants. */
  const wants = (full: string): boolean => {
    if (!full.startsWith(prefix) && !prefix.startsWith(full)) return false;
    const whole = full.length >= prefix.length ? groupOf(full) : undefined;
    if (whole !== undefined && (whole === group || !isPast(whole))) return false;
    return isPast(full) || after!.startsWith(full);
  };

  function* below(path: string, start: string): Generator<Listed> {
    for (const entry of entriesOf(path, start)) {
      if (entry.directory) {
        if (wants(entry.full)) yield* below(join(path, entry.name), entry.full);
        continue;
      }
      const key = entry.full;
      if (!key.startsWith(prefix)) continue;
      const inGroup = groupOf(key);
      if (inGroup === undefined ? !isPast(key) : inGroup === group || !isPast(inGroup)) continue;
      const stats = fs.lstatSync(join(path, entry.name), { bigint: true, throwIfNoEntry: false });
      if (stats?.isFile() !== true || keyProblem(key) !== undefined) continue;
      if (inGroup === undefined) yield { key, stats };
      else {
        group = inGroup;
        yield { group: inGroup };
      }
    }
  }

  const path = join(directory, base);
  // The prefix itself must not lead out of the bucket through a link.
  const real = fs.existsSync(path) ? fs.realpathSync.native(path) : undefined;
  if (real !== undefined && join(real, '/') === join(path, '/')) yield* below(path, base);
}

/** A directory's files and directories in key order: a directory sorts as if its name ended in `/`. */
function entriesOf(path: string, start: string): Entry[] {
  let names: fs.Dirent<Buffer>[];
  try {
    names = fs.readdirSync(path, { withFileTypes: true, encoding: 'buffer' });
  } catch {
    // Pruned since it was listed, or not a directory: nothing is below it.
    return [];
  }
  const entries: Entry[] = [];
  for (const dirent of names) {
    const name = dirent.name.toString('utf8');
    // A name that is not UTF-8 is no key and could not be opened by this text.
    if (name.includes('\ufffd') && !Buffer.from(name).equals(dirent.name)) continue;
    if (dirent.isDirectory()) entries.push({ name, full: `${start}${name}/`, directory: true });
    else if (dirent.isFile()) entries.push({ name, full: start + name, directory: false });
  }
  return entries.sort((a, b) => compareUtf8(a.full, b.full));
}
