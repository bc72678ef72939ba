import { WebError } from '#shared/web/guard.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import { isError } from '#shared/task/errors.ts';
import { BROWSE_MS, storedPage, type StoredPage } from '../browse/stored-page.ts';
import { verifyCitations, type ReadPage } from '../citations/verify.ts';
import { openCorpus } from '../corpus/open.ts';
import { corpusIdIn } from '../corpus/url.ts';
import type { Citation, Observation } from '../types.ts';
import { answered } from './answered.ts';
import type { ToolAnswer, ToolContext } from './context.ts';
import { sectionsOf, type Section } from './sections.ts';
import { couldNotFetch, noSection, REFUSED, sectionText, UNAVAILABLE } from './texts.ts';

/** The longest reading a page may take, in milliseconds: fetching, extracting, waiting for whoever reads the same. */
export const browseWorstMs = (context: Pick<ToolContext, 'corpus'>): number =>
  context.corpus ? 15_000 : BROWSE_MS + 50_000;

/**
 * The tool browse_page: title, `section k of n`, and the section as Markdown without link targets. With a corpus only
 * its documents are read. What fails is an observation: `code` is `unavailable`, `refused`, `fetch_failed` or
 * `no_section`.
 * @throws the signal's reason, StorageUnavailable; NotFound where the corpus has no index.
 */
export async function browsePage(
  { url, section_id: id = 0 }: { url: string; section_id?: number },
  context: ToolContext,
): Promise<ToolAnswer> {
  const fault = (text: string, code: string, cacheHit = false): ToolAnswer => ({
    observation: { tool: 'browse_page', text, code, meta: { url } },
    cacheHit,
    microUsd: 0,
  });
  if (context.corpus) {
    const found = await corpusPage(url, context.corpus.corpusId, context);
    if (!found) return fault(UNAVAILABLE, 'unavailable');
    return { observation: sectionOf(found.page, id, { url }), cacheHit: found.cacheHit, microUsd: 0 };
  }
  try {
    const found = await storedPage({
      runtime: context.runtime,
      url,
      blocklist: context.blocklist ?? [],
      ...(context.network ? { network: context.network } : {}),
      ...(context.deadline === undefined ? {} : { deadline: context.deadline }),
      ...(context.signal ? { signal: context.signal } : {}),
    });
    if ('blocked' in found) return fault(UNAVAILABLE, 'unavailable', found.cacheHit);
    const observation = sectionOf(found.page, id, { url, sourceRef: found.bodyRef });
    return { observation, cacheHit: found.cacheHit, microUsd: 0 };
  } catch (error) {
    context.signal?.throwIfAborted();
    if (!(error instanceof WebError)) throw error;
    if (error.kind === 'refused') return fault(REFUSED, 'refused');
    if (error.kind === 'unavailable') return fault(UNAVAILABLE, 'unavailable');
    return fault(couldNotFetch(error.message), 'fetch_failed');
  }
}

type Page = Pick<StoredPage, 'title' | 'markdown'> & { sections: Section[] };

async function corpusPage(
  url: string,
  corpusId: string,
  { runtime }: Pick<ToolContext, 'runtime'>,
): Promise<{ page: Page; cacheHit: boolean } | undefined> {
  const id = corpusIdIn(url.trim());
  if (id === undefined) return undefined;
  const corpus = await openCorpus(runtime, corpusId);
  const { value, cacheHit } = await answered(corpus, `page:${id}`, () => {
    const document = corpus.document(id);
    return Promise.resolve(
      document && { title: document.title, markdown: document.text, sections: sectionsOf(document.text) },
    );
  });
  return value && { page: value, cacheHit };
}

function sectionOf(page: Page, id: number, source: { url: string; sourceRef?: string }): Observation {
  const meta = { ...source, title: page.title, sections: page.sections.length };
  const section = page.sections[id];
  if (!section)
    return { tool: 'browse_page', text: noSection(id, page.sections.length), code: 'no_section', meta };
  const markdown = page.markdown.slice(section.start, section.end);
  return { tool: 'browse_page', text: sectionText(page.title, id, page.sections.length, markdown), meta };
}

/** The whole text of a page that a run has read; undefined where it is gone. */
export async function pageText(
  page: Pick<ReadPage, 'url' | 'sourceRef'>,
  { runtime, corpus }: Pick<ToolContext, 'runtime' | 'corpus'>,
): Promise<string | undefined> {
  if (page.sourceRef !== undefined) {
    try {
      return ((await readJson(runtime.artifacts, page.sourceRef)) as StoredPage).markdown;
    } catch (error) {
      if (isError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
  return corpus && (await corpusPage(page.url, corpus.corpusId, { runtime }))?.page.markdown;
}

/** Checks an answer's citations against the pages that its run has read (citations/verify.ts). */
export const citeFrom = (
  citations: readonly { url: string; quote: string }[],
  pages: readonly ReadPage[],
  context: Pick<ToolContext, 'runtime' | 'corpus'>,
): Promise<Citation[]> => verifyCitations(citations, pages, (page) => pageText(page, context));
