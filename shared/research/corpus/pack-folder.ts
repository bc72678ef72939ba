import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join, relative, sep } from 'node:path';
import { isUtf8 } from 'node:buffer';
import { scanLines } from '#shared/text/lines.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { MAX_LINE_BYTES } from './documents.ts';

/** A folder of files as the rows of a corpus. */

/** Which member of a document a file's text is. */
const FIELDS: Readonly<Record<string, 'markdown' | 'text' | 'html' | 'json'>> = {
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.txt': 'text',
  '.html': 'html',
  '.htm': 'html',
  '.xhtml': 'html',
  '.json': 'json',
};
const LINES = new Set(['.jsonl', '.ndjson']);
const PASSED_OVER = new Set(['node_modules']);

export interface Skipped {
  path: string;
  reason: string;
}

/**
 * The files of a folder and of those in it, in the order of their paths, as documents whose ids are their paths from
 * the folder with `/`: Markdown, text, HTML and JSON; the lines of JSON Lines as they are. A single file is a folder of
 * one. Hidden files and symbolic links are passed over.
 * @param skip is told of every file that is no document, and why.
 * @throws InvalidInput where there is no such folder.
 */
export async function* packFolder(
  path: string,
  skip: (skipped: Skipped) => void = () => undefined,
): AsyncGenerator<unknown> {
  const info = await stat(path).catch(() => undefined);
  if (!info) throw invalidInput(`There is no file or folder "${path}".`);
  for await (const file of info.isDirectory() ? filesOf(path) : [path]) {
    const id = info.isDirectory() ? relative(path, file).split(sep).join('/') : basename(file);
    const extension = extname(file).toLowerCase();
    if (LINES.has(extension)) yield* rowsOf(file, id, skip);
    else if (FIELDS[extension]) yield* documentOf(file, id, FIELDS[extension], skip);
    else skip({ path: id, reason: `its type ${extension || '(none)'} is not read` });
  }
}

async function* filesOf(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.') || PASSED_OVER.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(path);
    else if (entry.isFile()) yield path;
  }
}

async function* documentOf(
  file: string,
  id: string,
  field: string,
  skip: (skipped: Skipped) => void,
): AsyncGenerator<unknown> {
  if ((await stat(file)).size > MAX_LINE_BYTES) return skip({ path: id, reason: 'it is larger than 32 MiB' });
  const bytes = await readFile(file);
  if (!isUtf8(bytes)) return skip({ path: id, reason: 'it is not UTF-8' });
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  if (field !== 'json') {
    yield { id, [field]: text };
    return;
  }
  try {
    yield { id, json: JSON.parse(text) as unknown };
  } catch {
    skip({ path: id, reason: 'it is not JSON' });
  }
}

async function* rowsOf(file: string, id: string, skip: (skipped: Skipped) => void): AsyncGenerator<unknown> {
  for await (const { line, bytes } of scanLines(createReadStream(file), { maxBytes: MAX_LINE_BYTES })) {
    const text = bytes
      ? Buffer.from(bytes)
          .toString('utf8')
          .replace(/^\ufeff/, '')
          .trim()
      : undefined;
    if (text === '') continue;
    try {
      yield JSON.parse(text ?? '') as unknown;
    } catch {
      skip({
        path: `${id}:${line}`,
        reason: text === undefined ? 'it is larger than 32 MiB' : 'it is not JSON',
      });
    }
  }
}
