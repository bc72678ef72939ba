import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { Json } from '#shared/storage/ports.ts';
import { CliError, EXIT } from './exit.ts';

type Fields = { [key: string]: Json };

/** Members of a job input whose text may name a local file. */
const FILE_MEMBERS = new Set(['uri', 'source', 'ref', 'corpus', 'questions', 'key']);

/** Reads `--input FILE` (`-` is stdin). */
export function readInput(file: string, stdin: () => string): Fields {
  let text: string;
  try {
    text = file === '-' ? stdin() : readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.usage, `--input ${file}: ${whyUnreadable(error)}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new CliError(
      EXIT.usage,
      `--input ${file}: ${file === '-' ? 'stdin' : 'the file'} is not JSON: ${(error as Error).message}`,
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new CliError(EXIT.usage, `--input ${file} must hold one JSON object, the job's input.`);
  }
  return parsed as Fields;
}

/** Why a local file could not be read, in words. */
export function whyUnreadable(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file.';
    case 'EISDIR':
      return 'is a folder, not a file.';
    case 'EACCES':
      return 'may not be read.';
    default:
      return (error as Error).message;
  }
}

/**
 * Applies `--set path=value` to an input: dots descend, numbers index arrays, the value is JSON where it parses,
 * else text. `--set personas.max=2 --set sources.0.uri=a.jsonl`.
 */
export function applySet(input: Fields, assignment: string): void {
  const at = assignment.indexOf('=');
  if (at < 1)
    throw new CliError(EXIT.usage, `--set ${assignment}: write it as path=value, such as personas.max=2.`);
  const path = assignment.slice(0, at).split('.');
  if (
    path.some((name) => name === '' || name === '__proto__' || name === 'constructor' || name === 'prototype')
  ) {
    throw new CliError(EXIT.usage, `--set ${assignment}: "${path.join('.')}" is no path.`);
  }
  const text = assignment.slice(at + 1);
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    value = text;
  }
  let node: Fields | Json[] = input;
  path.forEach((name, i) => {
    const key = Array.isArray(node) ? Number(name) : name;
    if (
      Array.isArray(node) &&
      !(Number.isInteger(key) && (key as number) >= 0 && (key as number) <= node.length)
    ) {
      throw new CliError(
        EXIT.usage,
        `--set ${assignment}: "${name}" is no index of an array of ${node.length}.`,
      );
    }
    const holder = node as Record<string | number, Json>;
    if (i === path.length - 1) {
      holder[key] = value;
      return;
    }
    let next = holder[key];
    if (next === undefined || next === null || typeof next !== 'object') {
      next = /^\d+$/.test(path[i + 1]!) ? [] : {};
      holder[key] = next;
    }
    node = next as Fields | Json[];
  });
}

/** Lays `over` onto `base`: objects merge, anything else is replaced. */
export function mergeInput(base: Json, over: Json): Json {
  if (!isFields(base) || !isFields(over)) return over;
  const merged: Fields = { ...base };
  for (const [key, value] of Object.entries(over)) {
    merged[key] = key in base ? mergeInput(base[key]!, value) : value;
  }
  return merged;
}

const isFields = (value: Json | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The folders from one downwards that hold files, each with its files, in name order; hidden ones are left out. */
function foldersBelow(folder: string): string[][] {
  const entries = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
  return [
    ...(files.length > 0 ? [files] : []),
    ...entries
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => foldersBelow(join(folder, entry.name))),
  ];
}

/**
 * Replaces every local path of an input by an uploaded key: members named `uri` (and the like) whose text is an
 * existing file. A folder in a list is uploaded as a prefix, one entry for each folder in it that holds files; its files
 * stay side by side, so that sidecars are found. Artifact keys that are no local file stay as they are.
 */
export async function uploadLocalFiles(
  input: Fields,
  upload: { file(path: string): Promise<string>; folder(paths: string[]): Promise<string> },
  cwd: string,
): Promise<Fields> {
  const uploaded = new Map<string, Promise<string>>();
  const keyOf = (path: string): Promise<string> => {
    let key = uploaded.get(path);
    if (!key) uploaded.set(path, (key = upload.file(path)));
    return key;
  };
  const local = (text: Json | undefined): string | undefined => {
    if (typeof text !== 'string' || text === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return undefined;
    const path = resolve(cwd, text);
    if (existsSync(path)) return path;
    if (isAbsolute(text) || text.startsWith('./') || text.startsWith('../')) {
      throw new CliError(EXIT.usage, `${text}: there is no such file.`);
    }
    return undefined;
  };
  const walk = async (value: Json): Promise<Json> => {
    if (Array.isArray(value)) {
      const out: Json[] = [];
      for (const item of value) {
        const folder = isFields(item) ? local(item.uri) : undefined;
        if (folder && statSync(folder).isDirectory()) {
          const folders = foldersBelow(folder);
          if (folders.length === 0) {
            throw new CliError(EXIT.usage, `${relative(cwd, folder)}: the folder has no files.`);
          }
          for (const files of folders) out.push({ ...(item as Fields), uri: await upload.folder(files) });
        } else {
          out.push(await walk(item));
        }
      }
      return out;
    }
    if (!isFields(value)) return value;
    const out: Fields = {};
    for (const [key, member] of Object.entries(value)) {
      const path = FILE_MEMBERS.has(key) ? local(member) : undefined;
      out[key] = path && statSync(path).isFile() ? await keyOf(path) : await walk(member);
    }
    return out;
  };
  return (await walk(input)) as Fields;
}
