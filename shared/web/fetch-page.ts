import { Blocklist } from './blocklist.ts';
import { decodeText, kindOf, type PageKind } from './content.ts';
import { checkHost, checkUrl, WebError } from './guard.ts';
import { PUBLIC_NETWORK, type Network } from './network.ts';
import { robotsAllow } from './robots.ts';
import { MAX_PAGE_BYTES, transfer, type Answer } from './transfer.ts';

/** Fetching pages from the public web, guarded (specification deep-research, section 6). */

export const MAX_REDIRECTS = 5;
export const FETCH_MS = 30_000;
const MAX_ROBOTS_BYTES = 512 * 1024;
/** Addresses of one name that are tried. */
const MAX_ADDRESSES = 2;

export interface FetchOptions {
  /** Default: none. */
  blocklist?: Blocklist;
  /** Default: the public Internet. */
  network?: Network;
  /** For the page with its redirects; default 30 s. */
  timeoutMs?: number;
  maxBytes?: number;
  signal?: AbortSignal;
  /** The text of a site's robots.txt, remembered by the caller; default: fetched. */
  robots?: (origin: URL) => Promise<string>;
}

export interface FetchedPage {
  /** Where it was found in the end. */
  url: string;
  kind: PageKind;
  text: string;
}

/**
 * Fetches a page. Every address of every hop is checked before anything is sent to it, and nothing is sent elsewhere.
 * @throws WebError, and the reason of `signal`; nothing else.
 */
export async function fetchPage(address: string, options: FetchOptions = {}): Promise<FetchedPage> {
  const { maxBytes = MAX_PAGE_BYTES } = options;
  return limited(options, async (signal) => {
    const robots = options.robots ?? ((origin: URL) => fetchRobots(origin, { ...options, signal }));
    const { url, answer } = await follow(address, { ...options, signal, maxBytes }, async (hop) => {
      if (!robotsAllow(await robots(new URL('/', hop)), hop.pathname + hop.search))
        throw new WebError('unavailable', 'its robots.txt forbids it');
    });
    if (answer.status !== 200) throw statusError(answer);
    const kind = kindOf(answer.contentType, answer.body);
    if (!kind) {
      const type = answer.contentType.split(';')[0]!.trim().slice(0, 60);
      throw new WebError('failed', type ? `its type is ${type}, which cannot be read` : 'it is no text');
    }
    return { url: url.href, kind, text: decodeText(answer.body, answer.contentType, kind) };
  });
}

/**
 * The robots.txt of a site (RFC 9309): empty where it has none; one that forbids everything where the site cannot say.
 * @throws WebError where the site is refused, blocked or not there at all.
 */
export async function fetchRobots(origin: URL, options: FetchOptions = {}): Promise<string> {
  return limited(options, async (signal) => {
    try {
      const { answer } = await follow(new URL('/robots.txt', origin).href, {
        ...options,
        signal,
        maxBytes: MAX_ROBOTS_BYTES,
      });
      if (answer.status === 200) return answer.body.toString('utf8');
      return answer.status >= 500 || answer.status === 429 ? 'User-agent: *\nDisallow: /' : '';
    } catch (error) {
      // Too large or garbled: rules that cannot be read bind nobody. What fails for the page as well says so itself.
      if (error instanceof WebError && error.kind === 'failed' && !error.transient) return '';
      throw error;
    }
  });
}

/** Runs within the time-out. */
async function limited<T>(options: FetchOptions, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { timeoutMs = FETCH_MS } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  try {
    return await body(signal);
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    if (timeout.aborted)
      throw new WebError('failed', `it took more than ${timeoutMs / 1000} s`, {
        transient: true,
        cause: error,
      });
    throw error;
  }
}

/** Follows redirects; each hop is checked as the first one is. */
async function follow(
  address: string,
  options: FetchOptions & { signal: AbortSignal; maxBytes: number },
  mayRead?: (hop: URL) => Promise<void>,
): Promise<{ url: URL; answer: Answer }> {
  const { network = PUBLIC_NETWORK, blocklist = new Blocklist([]) } = options;
  let url = checkUrl(address, network);
  for (let hops = 0; ; hops++) {
    const addresses = await checkHost(url, network, blocklist);
    await mayRead?.(url);
    const answer = await firstAnswer(url, addresses, options);
    if (!isRedirect(answer)) return { url, answer };
    if (hops === MAX_REDIRECTS) throw new WebError('failed', `it redirects more than ${MAX_REDIRECTS} times`);
    if (!URL.canParse(answer.location, url.href))
      throw new WebError('failed', 'it redirects to what is no URL');
    url = checkUrl(new URL(answer.location, url).href, network);
  }
}

const isRedirect = (answer: Answer): answer is Answer & { location: string } =>
  [301, 302, 303, 307, 308].includes(answer.status) && answer.location !== undefined;

async function firstAnswer(
  url: URL,
  addresses: readonly string[],
  options: { signal: AbortSignal; maxBytes: number },
): Promise<Answer> {
  for (const [index, address] of addresses.slice(0, MAX_ADDRESSES).entries()) {
    try {
      return await transfer(url, address, options);
    } catch (error) {
      const last = index + 1 >= Math.min(addresses.length, MAX_ADDRESSES);
      if (last || !(error instanceof WebError && error.transient)) throw error;
    }
  }
  throw new WebError('failed', 'its host has no address');
}

function statusError({ status, retryAfterMs }: Answer): WebError {
  const transient = status === 429 || status === 502 || status === 503 || status === 504;
  return new WebError('failed', `the server answered ${status}`, {
    transient,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
