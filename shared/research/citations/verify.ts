import { normaliseText } from '../facts/normalise.ts';
import type { Citation } from '../types.ts';
import { comparableUrl } from './urls.ts';

/** Shorter quotes are found on any page. */
export const LEAST_QUOTE_CHARS = 8;

/** A page that a run has read. */
export interface ReadPage {
  url: string;
  /** The step that browsed it. */
  step: number;
  sourceRef?: string;
}

/**
 * Checks citations in their order: `verified` when the run browsed the URL and the quote, both in normal form
 * (facts/normalise.ts) and at least 8 characters long, occurs in the whole stored page; else `url_not_fetched`,
 * `too_short` or `quote_not_found` (specification deep-research, section 10).
 *
 * @param textOf the stored page's text; undefined where it is gone.
 */
export async function verifyCitations<Page extends ReadPage>(
  citations: readonly { url: string; quote: string }[],
  pages: readonly Page[],
  textOf: (page: Page) => Promise<string | undefined>,
): Promise<Citation[]> {
  const byUrl = Map.groupBy(pages, ({ url }) => comparableUrl(url));
  const texts = new Map<string, Promise<string | undefined>>();
  const normalText = (page: Page): Promise<string | undefined> => {
    const key = page.sourceRef ?? page.url;
    let text = texts.get(key);
    if (!text) {
      text = textOf(page).then((found) => (found === undefined ? undefined : normaliseText(found)));
      texts.set(key, text);
    }
    return text;
  };
  const verified: Citation[] = [];
  for (const [index, { url, quote }] of citations.entries()) {
    const read = byUrl.get(comparableUrl(url)) ?? [];
    const wanted = normaliseText(quote);
    const citation = { n: index + 1, url, quote };
    if (read.length === 0) verified.push({ ...citation, status: 'url_not_fetched' });
    else if (wanted.length < LEAST_QUOTE_CHARS)
      verified.push({ ...citation, step: read[0]!.step, status: 'too_short' });
    else {
      let step: number | undefined;
      for (const page of read) {
        if (step === undefined && (await normalText(page))?.includes(wanted)) step = page.step;
      }
      verified.push({
        ...citation,
        step: step ?? read[0]!.step,
        status: step === undefined ? 'quote_not_found' : 'verified',
      });
    }
  }
  return verified;
}
