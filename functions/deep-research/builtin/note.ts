import { extractFacts } from '#shared/research/facts/extract.ts';
import { normaliseText } from '#shared/research/facts/normalise.ts';
import { entityOf, type Progress } from './progress.ts';

/** What a cleaning keeps: pages that were read with the facts that may matter, searches, results not read yet. */

const PAGE = 'PAGE ';
const FACT = 'FACT ';
const SEARCH = 'SEARCHED ';
const RESULT = 'RESULT ';
const CODE = 'COMPUTED ';

/** @param keep facts worth keeping by page, best first. */
export function writeNote(progress: Progress, keep: (page: Progress['pages'][number]) => string[]): string {
  const lines: string[] = [];
  for (const page of progress.pages) {
    lines.push(`${PAGE}${JSON.stringify([page.url, page.title, page.read, page.sections])}`);
    lines.push(...keep(page).map((text) => `${FACT}${text}`));
  }
  lines.push(...progress.searches.map(({ query }) => `${SEARCH}${query}`));
  const unread = progress.results.filter(({ url }) => !progress.pages.some((page) => page.url === url));
  lines.push(...unread.slice(-10).map(({ url, title }) => `${RESULT}${JSON.stringify([url, title])}`));
  lines.push(...progress.computed.map(({ text }) => `${CODE}${text.slice(0, 200)}`));
  return lines.join('\n');
}

/** Reads what `writeNote` wrote; other lines are somebody else's and are passed over. */
export function readNote(note: string, progress: Progress): void {
  for (const line of note.split('\n')) {
    if (line.startsWith(PAGE)) {
      const [url, title, read, sections] = parsed(line.slice(PAGE.length)) as [
        string,
        string,
        number[],
        number,
      ];
      if (typeof url !== 'string') continue;
      progress.pages.push({ url, title, entity: entityOf(title), facts: [], lines: [], read, sections });
    } else if (line.startsWith(FACT)) {
      const page = progress.pages.at(-1);
      const text = line.slice(FACT.length);
      page?.lines.push(text);
      page?.facts.push(...extractFacts({ id: page.url, title: page.title, text }));
    } else if (line.startsWith(SEARCH)) {
      progress.searches.push({
        query: normaliseText(line.slice(SEARCH.length)),
        pagesBefore: progress.pages.length,
      });
    } else if (line.startsWith(RESULT)) {
      const [url, title] = parsed(line.slice(RESULT.length)) as [string, string];
      if (typeof url === 'string')
        progress.results.push({ url, title, snippet: '', rank: progress.results.length, query: '' });
    } else if (line.startsWith(CODE)) {
      progress.computed.push({ code: '', text: line.slice(CODE.length) });
    }
  }
}

function parsed(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
