import { Blocklist, normalHost } from '#shared/web/blocklist.ts';
import { extractor } from '#shared/web/extractor.ts';
import { fetchPage, fetchRobots, type FetchedPage } from '#shared/web/fetch-page.ts';
import { checkUrl, WebError } from '#shared/web/guard.ts';
import { withoutTargets } from '#shared/web/link-targets.ts';
import { PUBLIC_NETWORK, type Network } from '#shared/web/network.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { normaliseDocument } from '#shared/text/normalise.ts';
import type { Json } from '#shared/storage/ports.ts';
import { cached, cacheKeyOf, type CachedCall, type CacheRuntime } from '../cache/tool-cache.ts';
import { flattenJson } from '../corpus/flatten-json.ts';
import { withRetries } from '../search/retries.ts';
import { sectionsOf, type Section } from '../tools/sections.ts';

/** Pages of the web as they are kept: fetched once a day, read by every run that asks. */

const VERSION = 1;
const DAY_SECONDS = 86_400;
/** For all tries of one page. */
export const BROWSE_MS = 90_000;

export interface StoredPage {
  url: string;
  title: string;
  markdown: string;
  sections: Section[];
}

export interface PageRequest {
  runtime: CacheRuntime;
  url: string;
  blocklist: readonly string[];
  network?: Network;
  deadline?: number;
  signal?: AbortSignal;
}

export type PageResult =
  { page: StoredPage; bodyRef: string; cacheHit: boolean } | { blocked: true; cacheHit: boolean };

/**
 * A page with its sections.
 * @throws WebError `refused` or `failed`; what is forbidden comes back as `blocked`.
 */
export async function storedPage(request: PageRequest): Promise<PageResult> {
  const { runtime, network = PUBLIC_NETWORK, signal } = request;
  // Refused before anything is looked up or kept.
  const url = checkUrl(request.url.trim(), network);
  url.hash = '';
  const call: CachedCall = {
    tool: 'browse_page',
    version: VERSION,
    arguments: { url: url.href },
    // Blocked hosts are met on the way too.
    source: `web:${[...new Set(request.blocklist.map(normalHost))].sort().join(',')}`,
    ttlSeconds: DAY_SECONDS,
  };
  const kept = await cached(
    runtime,
    call,
    async () => {
      try {
        return { status: 'ok', body: (await read(request, url, cacheKeyOf(call))) as unknown as Json };
      } catch (error) {
        if (error instanceof WebError && error.kind === 'unavailable') return { status: 'blocked' };
        throw error;
      }
    },
    signal,
  );
  if (kept.status === 'blocked') return { blocked: true, cacheHit: kept.cacheHit };
  return { page: kept.body as unknown as StoredPage, bodyRef: kept.bodyRef, cacheHit: kept.cacheHit };
}

async function read(request: PageRequest, url: URL, seed: string): Promise<StoredPage> {
  const { runtime, network, signal } = request;
  const blocklist = new Blocklist(request.blocklist);
  const shared = { blocklist, ...(network ? { network } : {}), ...(signal ? { signal } : {}) };
  const fetched = await withRetries(
    () => fetchPage(url.href, { ...shared, robots: (origin) => keptRobots(request, origin, shared) }),
    {
      clock: runtime.clock,
      rng: seededRng(seed),
      until: Math.min(runtime.clock.now() + BROWSE_MS, request.deadline ?? Infinity),
      tries: 4,
      ...(signal ? { signal } : {}),
      again: (error) =>
        error instanceof WebError && error.transient
          ? error.retryAfterMs === undefined
            ? {}
            : { afterMs: error.retryAfterMs }
          : undefined,
    },
  );
  const { title, markdown } = await textOf(fetched);
  if (markdown === '') throw new WebError('failed', 'the page has no text');
  return { url: fetched.url, title: title || url.hostname, markdown, sections: sectionsOf(markdown) };
}

/** A site's robots.txt, fetched once a day. */
async function keptRobots(
  { runtime, signal }: PageRequest,
  origin: URL,
  options: Parameters<typeof fetchRobots>[1],
): Promise<string> {
  const kept = await cached(
    runtime,
    {
      tool: 'robots.txt',
      version: VERSION,
      arguments: { origin: origin.origin },
      source: 'web',
      ttlSeconds: DAY_SECONDS,
    },
    async () => ({ status: 'ok', body: await fetchRobots(origin, options) }),
    signal,
  );
  return kept.status === 'ok' ? (kept.body as string) : '';
}

async function textOf({ kind, text }: FetchedPage): Promise<{ title: string; markdown: string }> {
  const clean = (markdown: string): string => normaliseDocument(withoutTargets(markdown));
  switch (kind) {
    case 'html': {
      try {
        const page = await extractor().extract(text);
        return { title: page.title, markdown: normaliseDocument(page.markdown) };
      } catch (error) {
        throw new WebError('failed', (error as Error).message, { cause: error });
      }
    }
    case 'json': {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return { title: '', markdown: clean(text) };
      }
      try {
        return { title: '', markdown: clean(flattenJson(value)) };
      } catch {
        throw new WebError('failed', 'the page is nested too deep');
      }
    }
    default: {
      const markdown = clean(text);
      return { title: /^#\s+(\S.*)$/m.exec(markdown.slice(0, 2000))?.[1]?.trim() ?? '', markdown };
    }
  }
}
