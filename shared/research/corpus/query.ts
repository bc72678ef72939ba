import { STOP_WORDS } from '#shared/text/stop-words.ts';

/** Longest query that tools accept; more would only be noise for the index. */
export const MAX_QUERY_CHARS = 400;
const MAX_TERMS = 64;

const TERM = /[\p{L}\p{N}\p{M}]+/gu;

/** The words of a query, in their order, each once, without stop words unless it has nothing else. */
export function queryTerms(query: string): string[] {
  const words = query.slice(0, MAX_QUERY_CHARS).toWellFormed().normalize('NFC').toLowerCase().match(TERM);
  // A lone mark is no token of the index.
  const all = [...new Set(words ?? [])].filter((word) => /[\p{L}\p{N}]/u.test(word)).slice(0, MAX_TERMS);
  const topical = all.filter((word) => !STOP_WORDS.has(word));
  return topical.length > 0 ? topical : all;
}

/**
 * The FTS5 expression of a query: its words in quotes, joined by OR. Nothing but letters, digits and marks of the
 * query gets into it, so that none of FTS5's syntax can. Undefined where it has no words.
 */
export function matchExpression(query: string): string | undefined {
  const terms = queryTerms(query);
  return terms.length === 0 ? undefined : terms.map((term) => `"${term}"`).join(' OR ');
}
