import type { Artifacts } from '#shared/storage/ports.ts';
import { invalidUtf8At, scanLines, type ScannedLine } from '#shared/text/lines.ts';
import type { RejectCode } from '../records.ts';
import type { Place } from './documents.ts';

/** One record of a source, or why there is none at this place. */
export type SourceItem =
  | { place: Place; record: Record<string, unknown> }
  | { place: Place; blank: true }
  | { place: Place; fault: RejectCode; evidence: Record<string, unknown> };

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const BOM = '\ufeff';

/** One line of JSONL as a source item. */
export function parseLine(line: ScannedLine, file: string, maxBytes: number): SourceItem {
  const place: Place = { file, line: line.line, byteStart: line.byteStart, byteEnd: line.byteEnd };
  if (!line.bytes) {
    return {
      place,
      fault: 'DOCUMENT_TOO_LARGE',
      evidence: { bytes: line.byteEnd - line.byteStart, maxBytes },
    };
  }
  const bad = invalidUtf8At(line.bytes);
  if (bad >= 0) {
    const hint = 'save the file as UTF-8';
    return { place, fault: 'NOT_UTF8', evidence: { byteOffset: line.byteStart + bad, hint } };
  }
  let text = decoder.decode(line.bytes);
  if (line.byteStart === 0 && text.startsWith(BOM)) text = text.slice(1);
  if (text.trim() === '') return { place, blank: true };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return {
      place,
      fault: 'MALFORMED_LINE',
      evidence: { error: String((error as Error).message), start: text.slice(0, 80) },
    };
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return {
      place,
      fault: 'MALFORMED_LINE',
      evidence: { error: 'no JSON object', start: text.slice(0, 80) },
    };
  }
  return { place, record: value as Record<string, unknown> };
}

/** The records of a byte range of a JSONL object. */
export async function* readLineRange(
  artifacts: Artifacts,
  key: string,
  file: string,
  range: { start: number; end: number },
  maxBytes: number,
): AsyncGenerator<SourceItem> {
  // One byte earlier: whether a line starts at the range's start shows only before it.
  const from = Math.max(0, range.start - 1);
  const { body } = await artifacts.get(key, { range: { start: from } });
  const lines = scanLines(body, { start: from, end: range.end, maxBytes, skipFirst: range.start > 0 });
  for await (const line of lines) yield parseLine(line, file, maxBytes);
}

/** One text file: its title is the first heading, else the file name without its extension. */
export function parseTextFile(bytes: Uint8Array, file: string, sidecar: Record<string, unknown>): SourceItem {
  const place: Place = { file, line: 1, byteStart: 0, byteEnd: bytes.length };
  const bad = invalidUtf8At(bytes);
  if (bad >= 0)
    return { place, fault: 'NOT_UTF8', evidence: { byteOffset: bad, hint: 'save the file as UTF-8' } };
  const text = decoder.decode(bytes).replace(/^\ufeff/, '');
  const heading = firstHeading(text);
  const name = file
    .split('/')
    .at(-1)!
    .replace(/\.(txt|md)$/i, '');
  return { place, record: { title: heading || name, ...sidecar, text } };
}

/** The first Markdown heading of the first 64 KiB, without its marks. */
function firstHeading(text: string): string | undefined {
  for (const line of text.slice(0, 65_536).split('\n')) {
    const marks = /^ {0,3}#{1,6}[ \t]/.exec(line)?.[0].length;
    if (marks === undefined) continue;
    const heading = line.slice(marks, 1000).trim();
    const closed = heading.lastIndexOf(' #');
    const bare =
      closed > 0 && /^#+$/.test(heading.slice(closed + 1)) ? heading.slice(0, closed).trim() : heading;
    if (bare !== '') return bare;
  }
  return undefined;
}
