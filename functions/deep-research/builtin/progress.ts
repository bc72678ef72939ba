import { extractFacts } from '#shared/research/facts/extract.ts';
import { normaliseText } from '#shared/research/facts/normalise.ts';
import type { Fact } from '#shared/research/types.ts';
import type { StepInput } from '../agent/prompts/step-input.ts';
import { readNote } from './note.ts';

/** What memory tells of the research so far: pages read, results seen, searches made. */
export interface Page {
  url: string;
  title: string;
  /** The part of the title that names the thing: `Albania` of `Albania: Geography`. */
  entity: string;
  facts: Fact[];
  /** Lines of running text. */
  lines: string[];
  /** Sections read, and how many there are. */
  read: number[];
  sections: number;
}

export interface Result {
  url: string;
  title: string;
  snippet: string;
  rank: number;
  query: string;
}

export interface Progress {
  pages: Page[];
  results: Result[];
  /** Normalised queries that were made, with the number of pages read before each. */
  searches: { query: string; pagesBefore: number }[];
  /** Results of code, in order. */
  computed: { code: string; text: string }[];
}

const URL_LINE = /((?:corpus|https?):\/\/\S+)/;

/** Reads memory: the note a cleaning left, then each entry. */
export function progressOf(input: StepInput): Progress {
  const progress: Progress = { pages: [], results: [], searches: [], computed: [] };
  if (input.memory.note !== undefined) readNote(input.memory.note, progress);
  for (const { call, text } of input.memory.entries) {
    const { query, url, section_id: section, code } = call.arguments;
    if (call.name === 'search_internet' && typeof query === 'string') {
      progress.searches.push({ query: normaliseText(query), pagesBefore: progress.pages.length });
      progress.results.push(...resultsIn(text, query));
    } else if (call.name === 'browse_page' && typeof url === 'string') {
      addPage(progress, url, typeof section === 'number' ? section : 0, text);
    } else if (call.name === 'code_interpreter' && typeof code === 'string') {
      progress.computed.push({ code, text });
    }
  }
  return progress;
}

/** Numbered results: a title, a URL, a snippet, on one line or several. */
export function resultsIn(text: string, query: string): Result[] {
  const results: Result[] = [];
  for (const block of text.split(/\n(?=\s*\[?\d{1,2}[.)\]]\s)/)) {
    const found = URL_LINE.exec(block);
    if (!found) continue;
    const [before, after] = [block.slice(0, found.index), block.slice(found.index + found[1]!.length)];
    const title = before
      .replace(/^\s*\[?\d{1,2}[.)\]]\s*/, '')
      .replace(/\bURL:?\s*$/i, '')
      .replace(/[\s(<—–-]+$/, '')
      .trim();
    results.push({
      url: found[1]!.replace(/[)>\].,;]+$/, ''),
      title,
      snippet: after.trim(),
      rank: results.length,
      query: normaliseText(query),
    });
  }
  return results;
}

const SECTION = /section (\d+) of (\d+)/i;
const read = new Map<string, { facts: Fact[]; lines: string[] }>();

function addPage(progress: Progress, url: string, section: number, text: string): void {
  const known = progress.pages.find((page) => page.url === url);
  const place = SECTION.exec(text.slice(0, 600));
  const sections = place ? Number(place[2]) : 1;
  const title = known?.title ?? titleOf(text, progress.results.find((result) => result.url === url)?.title);
  const { facts, lines } = contentOf(url, title, text);
  if (known) {
    known.read.push(section);
    known.facts.push(...facts);
    known.lines.push(...lines);
    return;
  }
  const page: Page = { url, title, entity: entityOf(title), facts, lines, read: [section], sections };
  progress.pages.push(page);
}

/** Facts and lines of a page's text; remembered, for every step reads them anew. */
function contentOf(url: string, title: string, text: string): { facts: Fact[]; lines: string[] } {
  const key = `${url}\n${title}\n${text}`;
  let content = read.get(key);
  if (!content) {
    const body = bodyOf(text);
    content = { facts: extractFacts({ id: url, title, text: body }), lines: body.split('\n') };
    if (read.size >= 200) read.delete(read.keys().next().value!);
    read.set(key, content);
  }
  return { facts: [...content.facts], lines: [...content.lines] };
}

/** A page's own text: what the tool says above it, title and section, is not on the page. */
function bodyOf(text: string): string {
  const head = text.indexOf('\n\n');
  return head >= 0 && head < 600 && SECTION.test(text.slice(0, head)) ? text.slice(head + 2) : text;
}

function titleOf(text: string, listed: string | undefined): string {
  if (listed) return listed;
  const [first = ''] = text.split('\n', 1);
  return first
    .replace(/^#+\s*/, '')
    .replace(/^Title:\s*/i, '')
    .replace(/[,(]?\s*section \d+ of \d+.*$/i, '')
    .trim();
}

/** What a title is about: the part before a colon or a dash. */
export const entityOf = (title: string): string => title.split(/:\s| [-–—|] /, 1)[0]!.trim() || title;
