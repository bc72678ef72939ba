import { Blocklist } from '#shared/web/blocklist.ts';
import { hashOf } from '#shared/determinism/hash.ts';
import type { Json } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { cached, cacheKeyOf, type CachedCall } from '../cache/tool-cache.ts';
import { openCorpus } from '../corpus/open.ts';
import { MAX_QUERY_CHARS } from '../corpus/query.ts';
import { SearchError, searchWeb, SEARCH_MS, type WebHit } from '../search/http.ts';
import { answered } from './answered.ts';
import type { ToolAnswer, ToolContext } from './context.ts';
import { couldNotFetch, resultList } from './texts.ts';

export { MAX_QUERY_CHARS };

const VERSION = 1;
const DAY_SECONDS = 86_400;

/** The longest a search may take, in milliseconds. */
export const searchWorstMs = (context: Pick<ToolContext, 'corpus'>): number =>
  context.corpus ? 15_000 : SEARCH_MS + 10_000;

/**
 * The tool search_internet: up to 10 numbered results with title, URL and snippet, of the corpus or of the web. What
 * fails is an observation.
 * @param query 1 to 400 characters; more are cut.
 * @throws BudgetExhausted, Cancelled or the signal's reason, StorageUnavailable; NotFound where the corpus has no index.
 */
export async function searchInternet(query: string, context: ToolContext): Promise<ToolAnswer> {
  return context.corpus ? searchCorpus(query, context.corpus, context) : searchHttp(query, context);
}

async function searchCorpus(
  query: string,
  { corpusId, semanticWeight }: NonNullable<ToolContext['corpus']>,
  { runtime }: ToolContext,
): Promise<ToolAnswer> {
  const corpus = await openCorpus(runtime, corpusId);
  // The answer follows from the index: it is kept in memory only, where asking again costs more than looking.
  const { value, cacheHit } = await answered(corpus, `${semanticWeight}:${query}`, () =>
    corpus.search(query, { semanticWeight }),
  );
  return {
    observation: { tool: 'search_internet', text: resultList(value), meta: {} },
    cacheHit,
    microUsd: 0,
  };
}

async function searchHttp(query: string, context: ToolContext): Promise<ToolAnswer> {
  const { provider, runtime, signal } = context;
  if (!provider)
    throw invalidInput(
      'Searching the web needs a provider: set AGENTMILL_SEARCH to serper, brave or a description.',
    );
  const asked = query.slice(0, MAX_QUERY_CHARS).toWellFormed();
  const call: CachedCall = {
    tool: 'search_internet',
    version: VERSION,
    arguments: { query: asked },
    source: `${provider.name}:${hashOf({ url: provider.url, params: provider.params, map: provider.map, path: provider.resultsPath })}`,
    ttlSeconds: DAY_SECONDS,
  };
  let microUsd = 0;
  try {
    const kept = await cached(
      runtime,
      call,
      async () => {
        const found = await searchWeb({
          runtime,
          jobId: context.jobId,
          workflow: context.workflow,
          stage: context.stage,
          provider,
          query: asked,
          cacheKey: cacheKeyOf(call),
          ...(context.deadline === undefined ? {} : { deadline: context.deadline }),
          ...(signal ? { signal } : {}),
        });
        microUsd = found.microUsd;
        return { status: 'ok', body: found.hits as unknown as Json };
      },
      signal,
    );
    const blocklist = new Blocklist(context.blocklist ?? []);
    const hits = (kept.status === 'ok' ? (kept.body as unknown as WebHit[]) : []).filter(
      ({ url }) => !URL.canParse(url) || !blocklist.blocks(new URL(url).hostname),
    );
    return {
      observation: { tool: 'search_internet', text: resultList(hits), meta: {} },
      cacheHit: kept.cacheHit,
      microUsd,
    };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof SearchError)) throw error;
    return {
      observation: {
        tool: 'search_internet',
        text: couldNotFetch(error.message),
        code: 'fetch_failed',
        meta: {},
      },
      cacheHit: false,
      microUsd: error.microUsd,
    };
  }
}
