import { isIP } from 'node:net';
import type { Blocklist } from './blocklist.ts';
import type { Network } from './network.ts';

/**
 * Why a page is not read. `refused`: its address may not be connected to; `unavailable`: its host is blocked or its
 * robots.txt forbids it; `failed`: it was tried in vain, the message says why in a few words.
 */
export class WebError extends Error {
  override readonly name = 'WebError';
  readonly kind: 'refused' | 'unavailable' | 'failed';
  /** Whether another try may succeed. */
  readonly transient: boolean;
  /** Milliseconds the server asked to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: WebError['kind'],
    message: string,
    details: { transient?: boolean; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.transient = details.transient ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }
}

const refused = (why: string): WebError => new WebError('refused', why);

/**
 * An address as a URL that may be tried.
 * @throws WebError `refused` for other schemes than http and https, for credentials and other ports; `failed` for what
 *   is no URL.
 */
export function checkUrl(text: string, network: Network): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new WebError('failed', 'this is no URL');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(`the scheme ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw refused('credentials in the address');
  if (url.hostname === '') throw refused('no host');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (!network.ports.has(port)) throw refused(`port ${port}`);
  return url;
}

/** The host of a URL without the brackets of IPv6. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

/**
 * The addresses that a URL may be fetched from: every one of its name's is checked, so that none can be chosen later
 * that was not. IPv4 first.
 * @throws WebError: `unavailable` for a blocked host, `refused` where any address is not permitted, `failed` where the
 *   name is not known.
 */
export async function checkHost(url: URL, network: Network, blocklist: Blocklist): Promise<string[]> {
  const host = hostOf(url);
  if (blocklist.blocks(host)) throw new WebError('unavailable', 'the host is blocked');
  let addresses: string[];
  if (isIP(host)) addresses = [host];
  else {
    try {
      addresses = await network.resolve(host);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      throw new WebError('failed', 'its host is not known', {
        transient: code === 'EAI_AGAIN',
        cause: error,
      });
    }
  }
  if (addresses.length === 0) throw new WebError('failed', 'its host has no address');
  if (!addresses.every((address) => network.permits(address)))
    throw refused('the host is not on the public network');
  return [...addresses].sort((a, b) => isIP(a) - isIP(b));
}
