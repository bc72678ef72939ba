import { stem } from '#shared/text/stem.ts';
import { queryTerms } from './query.ts';

export const SNIPPET_CHARS = 300;

/**
 * What of a passage a result shows: whole lines from the one that holds most of the query's words on, at most 300
 * characters; of a long line, the part around the first of them.
 */
export function snippetOf(passage: string, query: string): string {
  const stems = new Set(queryTerms(query).map(stem));
  const lines = passage
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '');
  let best = 0;
  let most = -1;
  const found = lines.map((line) => matchesIn(line, stems));
  found.forEach(({ distinct }, index) => {
    if (distinct > most) [best, most] = [index, distinct];
  });
  const line = lines[best] ?? '';
  if (line.length > SNIPPET_CHARS) return windowOf(line, found[best]!.first);
  let snippet = line;
  for (const next of lines.slice(best + 1)) {
    if (snippet.length + 3 + next.length > SNIPPET_CHARS) break;
    snippet += ` / ${next}`;
  }
  return snippet;
}

function matchesIn(line: string, stems: ReadonlySet<string>): { distinct: number; first: number } {
  const seen = new Set<string>();
  let first = -1;
  for (const match of line
    .normalize('NFC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    const word = stem(match[0]);
    if (!stems.has(word)) continue;
    seen.add(word);
    if (first < 0) first = match.index;
  }
  return { distinct: seen.size, first: Math.max(0, first) };
}

function windowOf(line: string, at: number): string {
  const room = SNIPPET_CHARS - 2;
  const start = Math.max(0, Math.min(at - 60, line.length - room));
  // Begins with a whole word.
  const from = start === 0 ? 0 : line.indexOf(' ', start) + 1 || start;
  const part = line.slice(from, from + room).toWellFormed();
  return `${from > 0 ? '…' : ''}${part.trim()}${from + room < line.length ? '…' : ''}`;
}
