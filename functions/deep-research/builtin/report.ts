import { normaliseText } from '#shared/research/facts/normalise.ts';
import type { StepInput } from '../agent/prompts/step-input.ts';
import type { Page, Progress } from './progress.ts';
import { answerText, callText } from './reply.ts';
import { cosine, counts, sentencesOf } from './sentences.ts';
import { isContent, tokensOf } from './tokens.ts';

const PAGES = 3;
const SENTENCES = 12;

/** A report: three pages, at most twelve sentences nearest to their common middle, each with its source. */
export function reportStep(question: string, progress: Progress, input: StepInput): string {
  const queries = queriesOf(question);
  if (!input.final) {
    for (const query of queries) {
      const normal = normaliseText(query);
      if (!progress.searches.some((search) => search.query === normal))
        return callText(`I look for ${query}.`, 'search_internet', { query });
      if (progress.pages.length >= PAGES) break;
      const next = progress.results.find(
        (result) => result.query === normal && !progress.pages.some(({ url }) => url === result.url),
      );
      if (next) return callText(`${next.title} may tell.`, 'browse_page', { url: next.url });
    }
  }
  return written(question, progress.pages.slice(0, PAGES), input);
}

function queriesOf(question: string): string[] {
  const words = tokensOf(question).filter(({ word }) => isContent(word) && !TASK.has(word));
  const all = words.map(({ raw }) => raw).join(' ');
  const names = words.filter(({ capital }, index) => capital && index > 0).map(({ raw }) => raw);
  return [...new Set([all, names.join(' ')].map((query) => query.slice(0, 300)).filter(Boolean))];
}

/** Words of the task, not of the topic. */
const TASK = new Set(
  'write report short overview summary describe compare explain covering including section sections words'.split(
    ' ',
  ),
);

interface Rated {
  page: Page;
  text: string;
  score: number;
}

function written(question: string, pages: readonly Page[], input: StepInput): string {
  const all = pages.flatMap((page) => sentencesOf(page).map((text) => ({ page, text, words: counts(text) })));
  if (all.length === 0)
    return answerText('Nothing was found.', 'Nothing on this was found in the corpus.', []);
  const frequency = new Map<string, number>();
  for (const { words } of all)
    for (const word of words.keys()) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  const weighted = (words: ReadonlyMap<string, number>): Map<string, number> =>
    new Map(
      [...words].map(([word, count]) => [
        word,
        count * Math.log(1 + all.length / (frequency.get(word) ?? 1)),
      ]),
    );
  const centroid = new Map<string, number>();
  for (const { words } of all)
    for (const [word, weight] of weighted(words))
      centroid.set(word, (centroid.get(word) ?? 0) + weight / all.length);
  const asked = weighted(counts(question));
  const rated: Rated[] = all.map(({ page, text, words }) => {
    const own = weighted(words);
    return { page, text, score: cosine(own, centroid) + cosine(own, asked) };
  });
  rated.sort((a, b) => b.score - a.score || (a.text < b.text ? -1 : 1));
  const chosen: Rated[] = [];
  for (const sentence of rated) {
    if (chosen.length >= SENTENCES) break;
    const words = counts(sentence.text);
    if (chosen.every((other) => cosine(words, counts(other.text)) < 0.8)) chosen.push(sentence);
  }
  const citations: { url: string; quote: string }[] = [];
  const parts: string[] = [];
  for (const page of pages) {
    const mine = chosen.filter((sentence) => sentence.page === page);
    if (mine.length === 0) continue;
    // In the order in which the page tells them.
    const order = sentencesOf(page);
    mine.sort((a, b) => order.indexOf(a.text) - order.indexOf(b.text));
    const lines = mine.map(({ text }) => {
      citations.push({ url: page.url, quote: text });
      return `${text.replace(/([^.!?])$/, '$1.')} [${citations.length}]`;
    });
    parts.push(`## ${page.title}\n\n${lines.join('\n')}`);
  }
  if (input.final) parts.push('This report is partial: the research was cut short.');
  return answerText('I put together what the pages say.', parts.join('\n\n'), citations);
}
