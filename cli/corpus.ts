import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join, relative, resolve } from 'node:path';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { ApiClient } from './client.ts';
import { CliError, EXIT } from './exit.ts';

/** The document member that holds a file's content, by its ending. */
const KINDS: Readonly<Record<string, 'text' | 'markdown' | 'html' | 'json'>> = {
  '.txt': 'text',
  '.text': 'text',
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.html': 'html',
  '.htm': 'html',
  '.xhtml': 'html',
  '.json': 'json',
};
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** One line of the corpus that a folder becomes. */
interface PackedDocument {
  id: string;
  title: string;
  text?: string;
  markdown?: string;
  html?: string;
  json?: unknown;
}

/**
 * The readable files of a folder as lines of a corpus, in the order of their paths: the path is a document's id, and the
 * lines of JSON Lines files stand as they are. Hidden files, larger ones than 16 MB and other kinds are passed over.
 * @throws CliError where the folder has none.
 */
export function packFolder(folder: string): { lines: string[]; passedOver: string[] } {
  const lines: string[] = [];
  const passedOver: string[] = [];
  const walk = (at: string): void => {
    const entries = readdirSync(at, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) {
        if (/\.(?:jsonl|ndjson)$/i.test(entry.name)) {
          lines.push(
            ...readFileSync(path, 'utf8')
              .split('\n')
              .filter((line) => line.trim() !== ''),
          );
          continue;
        }
        const document = documentOf(folder, path);
        if (document) lines.push(JSON.stringify(document));
        else passedOver.push(relative(folder, path));
      }
    }
  };
  walk(folder);
  if (lines.length === 0) {
    throw new CliError(EXIT.usage, `--corpus ${folder}: no text, Markdown, HTML or JSON file is in it.`);
  }
  return { lines, passedOver };
}

function documentOf(folder: string, path: string): PackedDocument | undefined {
  const kind = KINDS[extname(path).toLowerCase()];
  if (!kind || statSync(path).size > MAX_FILE_BYTES) return undefined;
  const text = readFileSync(path, 'utf8');
  const id = relative(folder, path).replaceAll('\\', '/');
  const title = titleOf(kind, text) ?? basename(path, extname(path)).replaceAll(/[-_]+/g, ' ');
  if (kind !== 'json') return { id, title, [kind]: text };
  try {
    return { id, title, json: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** What a file calls itself. */
function titleOf(kind: string, text: string): string | undefined {
  const found =
    kind === 'markdown'
      ? /^#\s+(.+?)\s*#*\s*$/m.exec(text)
      : kind === 'html'
        ? /<title[^>]*>([^<]{1,300})<\/title>/i.exec(text)
        : null;
  return found?.[1]?.replaceAll(/\s+/g, ' ').trim() || undefined;
}

/** Uploads a corpus: a JSON Lines file as it is, a folder packed into one. */
export async function uploadCorpus(
  client: ApiClient,
  path: string,
  note: (text: string) => void,
): Promise<ArtifactRef> {
  const full = resolve(path);
  const found = statSync(full, { throwIfNoEntry: false });
  if (!found) throw new CliError(EXIT.usage, `--corpus ${path}: there is no such file or folder.`);
  const isFolder = found.isDirectory();
  if (!isFolder && found.size === 0)
    throw new CliError(EXIT.usage, `--corpus ${path}: the file is empty; give one {"title", "text"} a line.`);
  if (!isFolder) return client.upload('deep-research', full);
  const { lines, passedOver } = packFolder(full);
  if (passedOver.length > 0)
    note(`${passedOver.length} files of ${path} are no documents, such as ${passedOver[0]}.`);
  const dir = mkdtempSync(join(tmpdir(), 'agentmill-corpus-'));
  try {
    const file = join(dir, `${basename(full)}.jsonl`);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    return await client.upload('deep-research', file);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
