import type { SearchHit } from '../types.ts';

/** What the tools say, word for word (specification deep-research, section 6). */

export const NO_RESULTS = 'No results.';
export const UNAVAILABLE = 'This page is not available.';
export const REFUSED = 'This address is refused.';

/** @param reason in a few words, without a full stop. */
export const couldNotFetch = (reason: string): string => `Could not fetch: ${reason}.`;

/** `this page has 0 to 2`: section ids start at 0. */
export const noSection = (id: number, sections: number): string =>
  `Section ${id} does not exist; this page has ${sections === 1 ? 'only 0' : `0 to ${sections - 1}`}.`;

export const resultList = (hits: readonly Pick<SearchHit, 'title' | 'url' | 'snippet'>[]): string =>
  hits.length === 0
    ? NO_RESULTS
    : hits
        .map(
          ({ title, url, snippet }, index) =>
            `${index + 1}. ${title}\n   ${url}${snippet ? `\n   ${snippet}` : ''}`,
        )
        .join('\n');

export const sectionText = (title: string, id: number, sections: number, markdown: string): string =>
  `${title}\nsection ${id + 1} of ${sections} (section_id ${id})\n\n${markdown.trim()}`;
