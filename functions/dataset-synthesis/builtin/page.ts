import { parseProse, type Sentence } from './nlp.ts';
import { subjectOf, type Subject } from './subject.ts';

/** A document as the builtin algorithms see it: key-value lines, tables, and prose. */

export interface KeyValueLine {
  kind: 'key-value';
  /** The line as it stands. */
  raw: string;
  /** Key parts from general to special, without repeats and trailing years. */
  path: string[];
  /** A year that ended the key (`Exports 2024`). */
  keyYear?: string;
  value: string;
}

export interface Table {
  kind: 'table';
  header: string[];
  rows: { raw: string; cells: string[] }[];
  /** The heading above it. */
  heading?: string;
}

export interface Prose {
  kind: 'prose';
  sentences: Sentence[];
}

export interface Page {
  title: string;
  subject: Subject | undefined;
  blocks: (KeyValueLine | Table | Prose)[];
  /** Non-blank lines. */
  lines: string[];
  keyValueShare: number;
}

const KEY_LINE = /^\s*(?:[-*•]\s+)?(?:\*\*)?([\p{L}\p{N}`.][^:\n|]{0,110}?)(?:\*\*)?\s?:(?:\*\*)?\s+(\S.*)$/u;
const TABLE_RULE = /^\s*\|?(?:\s*:?-{2,}:?\s*\|)+(?:\s*:?-{2,}:?\s*)?\|?\s*$/;

const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim());

const withoutYear = (part: string): { part: string; year?: string } => {
  const match = /^(.{3,}?)[\s,]+\(?((?:19|20)\d{2})\)?$/.exec(part);
  return match ? { part: match[1]!, year: match[2]! } : { part };
};

/** Reads `Area - total: 28,748 sq km`, `Land use - agricultural land: arable land: arable land: 21.6%` and their kind. */
export function readKeyValue(line: string): KeyValueLine | undefined {
  const match = KEY_LINE.exec(line);
  if (!match) return undefined;
  const key = match[1]!.trim();
  let value = match[2]!.trim();
  if (key.split(/\s+/).length > 14 || /[.!?]\s/.test(key) || /\/\/$/.test(key)) return undefined;
  const parts = key.split(/\s+[-–—]\s+/);
  for (;;) {
    const inner = /^([a-z][\w ,()/'-]{1,50}): (\S.*)$/.exec(value);
    if (!inner || parts.length > 5) break;
    parts.push(inner[1]!);
    value = inner[2]!.trim();
  }
  const path: string[] = [];
  let keyYear: string | undefined;
  for (const raw of parts) {
    const { part, year } = withoutYear(raw.trim());
    if (year) keyYear = year;
    if (part !== '' && path.at(-1)?.toLowerCase() !== part.toLowerCase()) path.push(part);
  }
  // "Gini Index coefficient - distribution of family income" said twice.
  if (path.length % 2 === 0) {
    const half = path.length / 2;
    if (path.slice(0, half).join() === path.slice(half).join()) path.length = half;
  }
  return { kind: 'key-value', raw: line.trim(), path, ...(keyYear ? { keyYear } : {}), value };
}

/** Prose hides behind a key when its value holds whole sentences. */
const isProse = (value: string): boolean =>
  /^[\p{Lu}"“]/u.test(value) && /[.!?]["”]?(?:\s|$)/.test(value) && value.split(/\s+/).length >= 12;

function read(title: string, text: string): Page {
  const blocks: Page['blocks'] = [];
  const lines = text.split('\n');
  let heading: string | undefined;
  let paragraph: string[] = [];
  let keyValues = 0;
  const flush = (): void => {
    if (paragraph.length > 0) blocks.push({ kind: 'prose', sentences: parseProse(paragraph.join(' ')) });
    paragraph = [];
  };
  let code = false;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (/^\s*(?:```|~~~)/.test(line)) {
      flush();
      code = !code;
      continue;
    }
    if (code) continue;
    if (line.trim() === '') {
      flush();
      continue;
    }
    const marked = /^#{1,6}\s+(.+?)\s*#*$/.exec(line);
    if (marked) {
      flush();
      heading = marked[1]!;
      continue;
    }
    if (line.includes('|') && TABLE_RULE.test(lines[index + 1] ?? '')) {
      flush();
      const table: Table = {
        kind: 'table',
        header: cellsOf(line),
        rows: [],
        ...(heading ? { heading } : {}),
      };
      index += 2;
      for (; index < lines.length && lines[index]!.includes('|'); index++) {
        table.rows.push({ raw: lines[index]!.trim(), cells: cellsOf(lines[index]!) });
      }
      index--;
      blocks.push(table);
      continue;
    }
    const pair = readKeyValue(line);
    if (pair && isProse(pair.value)) {
      flush();
      keyValues++;
      blocks.push({ kind: 'prose', sentences: parseProse(pair.value) });
      continue;
    }
    // A colon inside a sentence that began on the line before makes no key.
    if (pair && /[.!?:;]$/.test(paragraph.at(-1) ?? '.')) {
      flush();
      keyValues++;
      blocks.push(pair);
      continue;
    }
    paragraph.push(line.trim().replace(/^(?:[-*•]|\d+[.)])\s+/, ''));
  }
  flush();
  const filled = lines.map((line) => line.trim()).filter(Boolean);
  const top = /^#\s+(.+)$/m.exec(text)?.[1] ?? '';
  return {
    title: title || top,
    subject: subjectOf(title || top, text),
    blocks,
    lines: filled,
    keyValueShare: filled.length === 0 ? 0 : keyValues / filled.length,
  };
}

const memo = new Map<string, Page>();
const MEMO_LIMIT = 32;

/** The page of a document; the last 32 stay in memory, since filter, identify, generate and check meet it in turn. */
export function pageOf(title: string | undefined, text: string): Page {
  const key = `${title ?? ''}\u0000${text}`;
  let page = memo.get(key);
  if (!page) {
    page = read(title ?? '', text);
    if (memo.size >= MEMO_LIMIT) memo.delete(memo.keys().next().value!);
    memo.set(key, page);
  }
  return page;
}
