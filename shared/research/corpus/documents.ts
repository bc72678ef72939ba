import type { Artifacts, ArtifactRef } from '#shared/storage/ports.ts';
import { invalidUtf8At, scanLines, type ScannedLine } from '#shared/text/lines.ts';
import { normaliseDocument } from '#shared/text/normalise.ts';
import { shortHash } from '../ids.ts';
import { headingOf } from '../headings.ts';
import { flattenJson } from './flatten-json.ts';

/** One document of a corpus as it is indexed and browsed. */
export interface CorpusDocument {
  id: string;
  /** Where it came from, if its record says so; never fetched. */
  url?: string;
  title: string;
  /** Text or Markdown without link targets. */
  text: string;
}

export const REJECT_CODES = [
  'bad_json',
  'not_utf8',
  'too_long',
  'bad_field',
  'no_text',
  'unreadable_html',
  'duplicate_id',
] as const;

/** A line that is no document, and why: rejects are data. */
export interface DocumentReject {
  line: number;
  id?: string;
  code: (typeof REJECT_CODES)[number];
  detail: string;
}

export type CorpusLine =
  | { line: number; byteEnd: number; document: CorpusDocument }
  | { line: number; byteEnd: number; reject: DocumentReject };

/** Bytes of a line, and characters of a document's text. */
export const MAX_LINE_BYTES = 32 * 2 ** 20;
export const MAX_TEXT_CHARS = 4_000_000;
const MAX_ID_CHARS = 200;
const MAX_TITLE_CHARS = 300;

/** How Markdown and HTML become text: shared/web in production. */
export interface TextConverters {
  /** Markdown with links as their text, images as their alternative text, bare URLs as `[link]`. */
  plain(markdown: string): string;
  /** @throws where nothing can be read in time. */
  html(html: string): Promise<{ title?: string; markdown: string }>;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The documents of a JSONL object `{id?, url?, title?, text|markdown|html|json}` from a byte offset on, and a reject
 * for every line that is none. Blank lines are passed over; other members are ignored.
 * @param from offset of a line's first byte, and how many lines are before it.
 */
export async function* readDocuments(
  artifacts: Artifacts,
  ref: Pick<ArtifactRef, 'key' | 'bytes'>,
  from: { byte: number; line: number },
  converters: TextConverters,
): AsyncGenerator<CorpusLine> {
  if (from.byte >= ref.bytes) return;
  const { body } = await artifacts.get(ref.key, { range: { start: from.byte } });
  for await (const scanned of scanLines(body, { start: from.byte, maxBytes: MAX_LINE_BYTES })) {
    const line = from.line + scanned.line;
    const byteEnd = scanned.byteEnd + 1;
    const read = await readLine(scanned, line, converters);
    if (!read) continue;
    yield 'code' in read ? { line, byteEnd, reject: read } : { line, byteEnd, document: read };
  }
}

async function readLine(
  scanned: ScannedLine,
  line: number,
  converters: TextConverters,
): Promise<CorpusDocument | DocumentReject | undefined> {
  if (!scanned.bytes)
    return {
      line,
      code: 'too_long',
      detail: `The line has more than ${MAX_LINE_BYTES} bytes: split the document.`,
    };
  const bad = invalidUtf8At(scanned.bytes);
  if (bad >= 0)
    return {
      line,
      code: 'not_utf8',
      detail: `Byte ${scanned.byteStart + bad} is no UTF-8: save the file as UTF-8.`,
    };
  const text = decoder.decode(scanned.bytes).replace(/^\ufeff/, '');
  if (text.trim() === '') return undefined;
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (error) {
    return {
      line,
      code: 'bad_json',
      detail: `The line is no JSON: ${(error as Error).message.slice(0, 120)}`,
    };
  }
  return documentOf(record, line, converters);
}

/** A record as a document, or why it is none. */
export async function documentOf(
  record: unknown,
  line: number,
  converters: TextConverters,
): Promise<CorpusDocument | DocumentReject> {
  const reject = (code: DocumentReject['code'], detail: string, id?: string): DocumentReject => ({
    line,
    ...(id === undefined ? {} : { id }),
    code,
    detail,
  });
  if (record === null || typeof record !== 'object' || Array.isArray(record))
    return reject('bad_json', 'The line is no JSON object: write {"id": …, "title": …, "text": …}.');
  const row = record as Record<string, unknown>;
  const id = idOf(row.id);
  if (id === null)
    return reject(
      'bad_field',
      `id must be a text of 1 to ${MAX_ID_CHARS} characters or a number, without control characters.`,
    );
  for (const field of ['url', 'title', 'text', 'markdown', 'html'] as const)
    if (row[field] !== undefined && row[field] !== null && typeof row[field] !== 'string')
      return reject('bad_field', `${field} must be a text.`, id);
  let body: { title?: string; text: string };
  try {
    body = await bodyOf(row, converters);
  } catch (error) {
    const code = typeof row.html === 'string' ? 'unreadable_html' : 'bad_json';
    return reject(code, `The document cannot be read: ${(error as Error).message.slice(0, 120)}`, id);
  }
  if (body.text === '') return reject('no_text', 'None of text, markdown, html and json holds any text.', id);
  if (body.text.length > MAX_TEXT_CHARS)
    return reject(
      'too_long',
      `The text has ${body.text.length} characters, at most ${MAX_TEXT_CHARS} are allowed: split it.`,
      id,
    );
  const title = oneLine(
    typeof row.title === 'string' && row.title.trim() !== '' ? row.title : (body.title ?? ''),
  );
  const named = title || titleIn(body.text) || id || 'Untitled';
  return {
    id: id ?? `d-${shortHash(named, body.text)}`,
    ...(typeof row.url === 'string' && row.url.trim() !== '' ? { url: row.url.trim().slice(0, 4000) } : {}),
    title: named,
    text: body.text,
  };
}

/** Undefined where there is none, null where it cannot be one. */
function idOf(value: unknown): string | undefined | null {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' && !(typeof value === 'number' && Number.isFinite(value))) return null;
  const id = String(value).trim();
  return id === '' || id.length > MAX_ID_CHARS || /\p{Cc}/u.test(id) || !id.isWellFormed() ? null : id;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

/** The first of markdown, text, json and html that holds something. */
async function bodyOf(
  row: Record<string, unknown>,
  { plain, html }: TextConverters,
): Promise<{ title?: string; text: string }> {
  const clean = (text: string): string => normaliseDocument(plain(text));
  if (isText(row.markdown)) return { text: clean(row.markdown) };
  if (isText(row.text)) return { text: clean(row.text) };
  if (row.json !== undefined && row.json !== null) {
    const value: unknown = typeof row.json === 'string' ? JSON.parse(row.json) : row.json;
    return { text: clean(flattenJson(value)) };
  }
  if (!isText(row.html)) return { text: '' };
  const page = await html(row.html);
  return { ...(page.title ? { title: page.title } : {}), text: normaliseDocument(page.markdown) };
}

const oneLine = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, MAX_TITLE_CHARS)
    .toWellFormed();

/** The first heading near the start, else the first line if it is short enough to be a title. */
function titleIn(text: string): string {
  const lines = text.slice(0, 2000).split('\n').slice(0, 20);
  const heading = lines.map((line) => headingOf(line)).find((found) => found !== undefined);
  return oneLine(heading ? heading.text : lines[0]!.length <= 100 ? lines[0]! : '');
}
