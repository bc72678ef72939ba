import type { Page } from './progress.ts';
import { contentStems } from './tokens.ts';

/** Sentences of running text, for what no fact states outright. */

const SENTENCE = /[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]?/g;

/** The sentences of a page, whole and trimmed: those that say something. */
export function sentencesOf(page: Pick<Page, 'lines'>): string[] {
  return page.lines.flatMap((line) =>
    line.startsWith('#') || line.startsWith('|') || line.startsWith('[')
      ? []
      : (line.match(SENTENCE) ?? [])
          .map((sentence) => sentence.trim())
          .filter((sentence) => sentence.split(/\s+/).length >= 4 && sentence.length <= 600),
  );
}

/** Counts of the content stems of a text. */
export function counts(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const word of contentStems(text)) found.set(word, (found.get(word) ?? 0) + 1);
  return found;
}

export function cosine(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let dot = 0;
  for (const [word, count] of a) dot += count * (b.get(word) ?? 0);
  const norm = (of: ReadonlyMap<string, number>): number =>
    Math.sqrt([...of.values()].reduce((sum, count) => sum + count * count, 0));
  return dot === 0 ? 0 : dot / (norm(a) * norm(b));
}

/** The sentence that shares most with a question: overlap plus cosine; undefined where none shares half of it. */
export function bestSentence(
  question: string,
  pages: readonly Page[],
): { page: Page; text: string } | undefined {
  const asked = counts(question);
  if (asked.size === 0) return undefined;
  let best: { page: Page; text: string; score: number } | undefined;
  for (const page of pages) {
    // What a page is about need not be said again in its sentences.
    const title = counts(page.title);
    for (const text of sentencesOf(page)) {
      const words = counts(text);
      const overlap =
        [...asked.keys()].filter((word) => words.has(word) || title.has(word)).length / asked.size;
      if (overlap < 0.5 || ![...asked.keys()].some((word) => words.has(word))) continue;
      const score = overlap + cosine(asked, words);
      if (!best || score > best.score) best = { page, text, score };
    }
  }
  return best && { page: best.page, text: best.text };
}
