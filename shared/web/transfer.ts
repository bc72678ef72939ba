import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Readable } from 'node:stream';
import { WebError, hostOf } from './guard.ts';
import { ROBOT } from './robots.ts';

/** One HTTP GET to one checked address. */

export interface Answer {
  status: number;
  location?: string;
  contentType: string;
  retryAfterMs?: number;
  /** Decompressed; empty unless the status is 200. */
  body: Buffer;
}

const ACCEPT = 'text/html, application/xhtml+xml, text/markdown, text/plain, application/json;q=0.9';
/** A body's size is told before it is sent, or counted while it comes. */
export const MAX_PAGE_BYTES = 10 * 2 ** 20;

/**
 * Sends the request to the address, whatever the name means by now, and reads at most `maxBytes` of the decompressed
 * body.
 * @throws WebError `failed`; the signal's reason when it aborts.
 */
export async function transfer(
  url: URL,
  address: string,
  options: { signal: AbortSignal; maxBytes: number },
): Promise<Answer> {
  const message = await send(url, address, options.signal);
  try {
    const status = message.statusCode ?? 0;
    const { location } = message.headers;
    const retryAfterMs = secondsOf(message.headers['retry-after']);
    return {
      status,
      ...(location === undefined ? {} : { location }),
      contentType: message.headers['content-type'] ?? '',
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      body: status === 200 ? await bodyOf(message, options) : Buffer.alloc(0),
    };
  } finally {
    message.destroy();
  }
}

function send(url: URL, address: string, signal: AbortSignal): Promise<IncomingMessage> {
  const host = hostOf(url);
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(
      {
        // The checked address itself: no name is looked up again.
        host: address,
        port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
        path: url.pathname + url.search,
        ...(secure && !isIP(host) ? { servername: host } : {}),
        headers: {
          host: url.host,
          'user-agent': `${ROBOT} (research agent)`,
          accept: ACCEPT,
          'accept-language': 'en',
          'accept-encoding': 'gzip, deflate, br',
        },
        agent: false,
        maxHeaderSize: 64 * 1024,
        signal,
      },
      resolve,
    );
    request.on('error', (error: NodeJS.ErrnoException) =>
      reject(signal.aborted ? (signal.reason as Error) : connectionError(error)),
    );
    request.end();
  });
}

const PERMANENT = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

function connectionError(error: NodeJS.ErrnoException): WebError {
  const code = error.code ?? '';
  const certificate = PERMANENT.has(code) || /CERT|SIGNED/.test(code);
  return new WebError(
    'failed',
    certificate ? 'its certificate is not valid' : `the connection failed${code && ` (${code})`}`,
    {
      transient: !certificate && !code.startsWith('HPE_'),
      cause: error,
    },
  );
}

async function bodyOf(
  message: IncomingMessage,
  { signal, maxBytes }: { signal: AbortSignal; maxBytes: number },
): Promise<Buffer> {
  const tooLarge = (): WebError =>
    new WebError('failed', `the page is larger than ${Math.floor(maxBytes / 2 ** 20)} MB`);
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const stream = decoder(message);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      bytes += (chunk as Buffer).length;
      // What is decompressed comes in small chunks: a bomb ends here.
      if (bytes > maxBytes) throw tooLarge();
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof WebError) throw error;
    if (signal.aborted) throw signal.reason;
    const zipped = stream !== message && !message.errored;
    throw new WebError('failed', zipped ? 'its compression is broken' : 'the connection broke', {
      transient: !zipped,
      cause: error,
    });
  } finally {
    stream.destroy();
  }
  return Buffer.concat(chunks);
}

function decoder(message: IncomingMessage): Readable {
  const encoding = (message.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  switch (encoding) {
    case 'identity':
    case '':
      return message;
    case 'gzip':
    case 'x-gzip':
      return piped(message, createGunzip());
    case 'deflate':
      return piped(message, createInflate());
    case 'br':
      return piped(message, createBrotliDecompress());
    default:
      throw new WebError('failed', 'its compression is not known');
  }
}

function piped(message: IncomingMessage, through: ReturnType<typeof createGunzip>): Readable {
  message.on('error', (error) => through.destroy(error));
  message.on('aborted', () => through.destroy(new Error('aborted')));
  return message.pipe(through);
}

function secondsOf(header: string | undefined): number | undefined {
  const seconds = Number(header);
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
