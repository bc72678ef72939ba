/** CORS as an HTTP API answers it: the gateway's configuration decides, handlers' own CORS headers are dropped. */
export interface CorsConfiguration {
  /** Exact origins, or `*`. */
  origins: readonly string[];
  methods?: readonly string[];
  headers?: readonly string[];
  exposeHeaders?: readonly string[];
  maxAgeSeconds?: number;
}

/** Headers of the answer to a preflight; none where the origin is not allowed. */
export function preflightHeaders(cors: CorsConfiguration, origin: string): Record<string, string> {
  const allowed = originHeaders(cors, origin);
  if (Object.keys(allowed).length === 0) return {};
  return {
    ...allowed,
    'access-control-allow-methods': (cors.methods ?? ['GET', 'POST']).join(','),
    'access-control-allow-headers': (
      cors.headers ?? ['authorization', 'content-type', 'idempotency-key']
    ).join(','),
    'access-control-max-age': String(cors.maxAgeSeconds ?? 300),
  };
}

/** Headers of every answer to a request from an allowed origin. */
export function originHeaders(cors: CorsConfiguration, origin: string | undefined): Record<string, string> {
  if (origin === undefined || !(cors.origins.includes('*') || cors.origins.includes(origin))) return {};
  return {
    'access-control-allow-origin': cors.origins.includes('*') ? '*' : origin,
    ...(cors.origins.includes('*') ? {} : { vary: 'origin' }),
    ...(cors.exposeHeaders?.length ? { 'access-control-expose-headers': cors.exposeHeaders.join(',') } : {}),
  };
}
