/** No server may pause a model for longer. */
export const MAX_RETRY_AFTER_MS = 120_000;

/**
 * The wait that a Retry-After header asks for, in milliseconds (RFC 9110 section 10.2.3): seconds or an HTTP date,
 * at most 120 s; nothing where the header cannot be read.
 */
export function retryAfterMs(header: string | string[] | undefined, now: number): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim();
  if (!text) return undefined;
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, Math.ceil(ms)), MAX_RETRY_AFTER_MS) : undefined;
}
