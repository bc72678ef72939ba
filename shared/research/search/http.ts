import { seededRng } from '#shared/determinism/rng.ts';
import { secretValue } from '#shared/models/secrets.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { SearchHit } from '../types.ts';
import { charged, type Charged } from './charge.ts';
import type { SearchProvider } from './provider.ts';
import { withRetries } from './retries.ts';

/** Searching the web with a provider's HTTP interface. */

export const TOOL = 'tool:search_internet';
/** For one request, and for all of one search. */
const REQUEST_MS = 30_000;
export const SEARCH_MS = 120_000;
const MAX_ANSWER_BYTES = 4 * 2 ** 20;
const MAX_RESULTS = 10;
const MAX_SNIPPET = 300;

/** Why a search got no answer, in a few words that name no secret. */
export class SearchError extends Error {
  override readonly name = 'SearchError';
  readonly transient: boolean;
  readonly throttled: boolean;
  readonly retryAfterMs: number | undefined;
  /** What its requests may have cost. */
  microUsd = 0;

  constructor(
    message: string,
    details: { transient?: boolean; throttled?: boolean; retryAfterMs?: number } = {},
  ) {
    super(message);
    this.transient = details.transient ?? false;
    this.throttled = details.throttled ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export interface SearchRequest {
  runtime: Runtime;
  jobId: string;
  workflow: string;
  stage: string;
  provider: SearchProvider;
  query: string;
  cacheKey: string;
  /** Milliseconds since the epoch. */
  deadline?: number;
  signal?: AbortSignal;
}

export type WebHit = Pick<SearchHit, 'title' | 'url' | 'snippet'>;

/** Which key of a provider comes next; by store, so that all runs of a process take turns. */
const turns = new WeakMap<object, Map<string, number>>();

/**
 * Up to 10 results, and what was paid. Transport errors, 429 and 5xx are tried again, at most 10 times and for at most
 * two minutes; a throttled key gives way to the next at once.
 * @throws SearchError; BudgetExhausted, StorageUnavailable.
 */
export async function searchWeb(request: SearchRequest): Promise<{ hits: WebHit[]; microUsd: number }> {
  const { runtime, provider } = request;
  const keys = await keysOf(request);
  const turn = turns.get(runtime.records) ?? new Map<string, number>();
  turns.set(runtime.records, turn);
  let microUsd = 0;
  let throttled = 0;
  const hits = await withRetries(
    async (attempt) => {
      const key = keys[(turn.get(provider.name) ?? 0) % keys.length]!;
      const answer = await charged(
        runtime,
        {
          jobId: request.jobId,
          workflow: request.workflow,
          stage: request.stage,
          role: TOOL,
          provider: provider.name,
          requestId: request.cacheKey.slice(0, 32),
          attempt,
          microUsd: provider.microUsdPerCall,
          cacheKey: request.cacheKey,
        },
        async () => {
          const outcome = await ask(request, key);
          if (outcome.billed !== 'no') microUsd += provider.microUsdPerCall;
          return outcome;
        },
        request.signal,
      );
      if (!(answer instanceof SearchError)) return answer;
      answer.microUsd = microUsd;
      if (answer.throttled) {
        throttled++;
        turn.set(provider.name, (turn.get(provider.name) ?? 0) + 1);
      }
      throw answer;
    },
    {
      clock: runtime.clock,
      rng: seededRng(request.cacheKey),
      until: Math.min(runtime.clock.now() + SEARCH_MS, request.deadline ?? Infinity),
      ...(request.signal ? { signal: request.signal } : {}),
      again(error) {
        if (!(error instanceof SearchError) || !error.transient) return undefined;
        // Another key need not wait for what was asked of this one.
        const fresh = error.throttled && throttled % keys.length !== 0;
        return fresh || error.retryAfterMs === undefined ? {} : { afterMs: error.retryAfterMs };
      },
    },
  );
  return { hits, microUsd };
}

/** On AWS a plain name is the stage's secret for searches, which deep-research may read (capability `secrets:search`). */
export const secretName = (name: string, { kind, env }: Pick<Runtime, 'kind' | 'env'>): string =>
  kind === 'aws' && !/[:/]/.test(name) ? `agentmill/${env.AGENTMILL_STAGE ?? 'dev'}/search` : name;

async function keysOf({ provider, runtime }: SearchRequest): Promise<string[]> {
  if (provider.keySecret === undefined) return [''];
  const values: string[] = [];
  for (const name of [provider.keySecret].flat()) {
    try {
      // One secret may hold several keys.
      values.push(
        ...(await secretValue(secretName(name, runtime), runtime))
          .split(/[\s,]+/)
          .filter((key) => key !== ''),
      );
    } catch {
      throw new SearchError(`the key of the search service (${name}) is not set`);
    }
  }
  if (values.length === 0) throw new SearchError('the search service has no key');
  return values;
}

/** One request. Failures are values: each is settled in the ledger. */
async function ask(request: SearchRequest, key: string): Promise<Charged<WebHit[] | SearchError>> {
  const { provider, query, signal } = request;
  const timeout = AbortSignal.timeout(REQUEST_MS);
  let sent: Parameters<typeof fetch>;
  try {
    sent = requestOf(provider, query, key, signal ? AbortSignal.any([signal, timeout]) : timeout);
  } catch {
    const error = new SearchError('the search service is set up with a header or key that cannot be sent');
    return { value: error, billed: 'no', errorCode: 'AUTH' };
  }
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(...sent);
    text = await bodyOf(answer);
  } catch {
    const why = signal?.aborted
      ? 'it was stopped'
      : timeout.aborted
        ? 'the search service took too long'
        : 'the search service cannot be reached';
    return {
      value: new SearchError(why, { transient: !signal?.aborted }),
      billed: 'unknown',
      errorCode: 'UNAVAILABLE',
    };
  }
  const { status } = answer;
  if (status !== 200) {
    const seconds = Number(answer.headers.get('retry-after') ?? NaN);
    const throttled = status === 429;
    const error = new SearchError(`the search service answered ${status}`, {
      throttled,
      transient: throttled || status >= 500,
      ...(Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {}),
    });
    return {
      value: error,
      httpStatus: status,
      billed: 'no',
      errorCode: throttled ? 'THROTTLED' : 'UNAVAILABLE',
    };
  }
  try {
    return { value: hitsOf(JSON.parse(text), provider), httpStatus: status, billed: 'yes' };
  } catch {
    const error = new SearchError('the search service gave an answer that cannot be read');
    return { value: error, httpStatus: status, billed: 'yes', errorCode: 'PARSE_ERROR' };
  }
}

function requestOf(
  provider: SearchProvider,
  query: string,
  key: string,
  signal: AbortSignal,
): [URL, RequestInit] {
  const url = new URL(provider.url);
  const headers = new Headers({ accept: 'application/json' });
  for (const [name, value] of Object.entries(provider.headers))
    headers.set(name, value.replaceAll('{key}', key));
  // A redirect would carry the key elsewhere.
  const init: RequestInit = { method: provider.method, headers, signal, redirect: 'error' };
  if (provider.method === 'POST') {
    headers.set('content-type', 'application/json');
    return [url, { ...init, body: JSON.stringify({ ...provider.params, [provider.queryParam]: query }) }];
  }
  for (const [name, value] of Object.entries(provider.params)) url.searchParams.set(name, String(value));
  url.searchParams.set(provider.queryParam, query);
  return [url, init];
}

async function bodyOf(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The results of an answer: those with an address, in its order. @throws where there is no list at its place. */
export function hitsOf(
  answer: unknown,
  { resultsPath, map }: Pick<SearchProvider, 'resultsPath' | 'map'>,
): WebHit[] {
  const list = memberAt(answer, resultsPath);
  // Services leave the list out where nothing was found.
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw new TypeError('no list of results');
  const hits: WebHit[] = [];
  for (const item of list as unknown[]) {
    const url = textAt(item, map.url, 4000);
    if (!/^https?:\/\/\S+$/i.test(url)) continue;
    hits.push({
      title: textAt(item, map.title, MAX_SNIPPET) || url,
      url,
      snippet: textAt(item, map.snippet, MAX_SNIPPET),
    });
    if (hits.length === MAX_RESULTS) break;
  }
  return hits;
}

function memberAt(value: unknown, path: string): unknown {
  let at = value;
  for (const name of path === '' ? [] : path.split('.')) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&nbsp;': ' ',
  '&#39;': "'",
  '&#x27;': "'",
};

/** One line of text without tags of emphasis and entities, as services send them. */
function textAt(value: unknown, path: string, most: number): string {
  const text = memberAt(value, path);
  if (typeof text !== 'string') return '';
  const line = text
    .slice(0, 20_000)
    .toWellFormed()
    .replace(/<\/?(?:b|strong|em|i)>/gi, '')
    .replace(/&(?:amp|lt|gt|quot|apos|nbsp|#39|#x27);/gi, (entity) => ENTITIES[entity.toLowerCase()]!)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return line.length > most
    ? `${line
        .slice(0, most - 1)
        .toWellFormed()
        .trimEnd()}…`
    : line;
}
