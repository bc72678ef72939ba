import { createHash, timingSafeEqual } from 'node:crypto';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

export const isLoopback = (host: string): boolean => LOOPBACK.has(host);

/**
 * Whether a Host header names this machine's loopback: a web page that points its own name at 127.0.0.1 (DNS
 * rebinding) sends that name.
 */
export function isLoopbackHost(header: string | undefined): boolean {
  const match = /^(\[::1\]|[^:[\]]+)(?::\d{1,5})?$/.exec(header ?? '');
  return match !== null && LOOPBACK.has(match[1]!.replace(/[[\]]/g, '').toLowerCase());
}

/** Compares a bearer token in constant time, whatever its length. */
export function isAuthorised(header: string | undefined, token: string): boolean {
  const given = /^Bearer (.+)$/i.exec(header ?? '')?.[1] ?? '';
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** A page of another origin may read nothing without CORS, but could still write: such requests are refused. */
export function isForeignWrite(
  method: string,
  origin: string | undefined,
  host: string | undefined,
): boolean {
  if (origin === undefined || method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return false;
  return origin !== `http://${host ?? ''}`;
}
