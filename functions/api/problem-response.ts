import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { toTaskError } from '#shared/task/faults.ts';
import { isError } from '#shared/task/errors.ts';
import type { Problem } from '#shared/task/jobs.ts';
import { problem, problemOf, slugOf, type ProblemSlug } from '#shared/task/problems.ts';

/** Every failure of the API as `application/problem+json` (RFC 9457). */

/** Errors that middy's middleware makes, by their status. */
const OF_MIDDY: Record<number, [ProblemSlug, string]> = {
  404: ['not-found', 'There is no such route.'],
  415: ['unsupported-media-type', 'Send the body as application/json.'],
  422: ['malformed-json', 'The body is not well-formed JSON.'],
};

/** Seconds a client should wait before the same request is worth repeating. */
const RETRY_AFTER: Partial<Record<ProblemSlug, number>> = { unavailable: 5, 'too-many-jobs': 30 };

function documentOf(error: unknown, instance: string | undefined, report: (error: unknown) => void): Problem {
  const more = instance === undefined ? {} : { instance };
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  const middys = typeof status === 'number' && !isError(error) ? OF_MIDDY[status] : undefined;
  if (middys) return problem(middys[0], middys[1], more);
  const known = toTaskError(error, 'api');
  const document = problemOf(known, instance);
  if (document.status >= 500) report(error);
  return document;
}

/** @param report is told of what is our fault. */
export function problemResponse(
  error: unknown,
  instance: string | undefined,
  report: (error: unknown) => void,
): APIGatewayProxyStructuredResultV2 {
  const document = documentOf(error, instance, report);
  const after = RETRY_AFTER[slugOf(document) ?? 'internal'];
  return {
    statusCode: document.status,
    headers: {
      'Content-Type': 'application/problem+json',
      ...(after === undefined ? {} : { 'Retry-After': String(after) }),
    },
    body: JSON.stringify(document),
  };
}
