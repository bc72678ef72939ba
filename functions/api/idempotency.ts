import { ProblemError } from '#shared/task/problems.ts';
import type { ApiRequest } from './route.ts';
import { IDEMPOTENCY_KEY } from './schemas.ts';

/** How routes that make something describe the header (infra-api-cli section 7). */
export const IDEMPOTENCY_HEADER = {
  'Idempotency-Key': 'Makes repeating the request harmless: 1 to 128 printable ASCII characters.',
};

/** The key of a request, from its header or its body. @throws ProblemError `invalid-input` when they disagree. */
export function idempotencyKeyOf(
  request: ApiRequest<unknown, { idempotencyKey?: string | undefined }>,
): string | undefined {
  const header = request.headers['idempotency-key'];
  const { idempotencyKey } = request.body;
  const refuse = (code: string, detail: string): ProblemError =>
    new ProblemError('invalid-input', 'One field is not valid.', {
      problems: [{ pointer: '/idempotencyKey', code, detail }],
    });
  if (header === undefined) return idempotencyKey;
  if (!IDEMPOTENCY_KEY.safeParse(header).success) {
    throw refuse('invalid-format', 'The header Idempotency-Key is 1 to 128 printable ASCII characters.');
  }
  if (idempotencyKey !== undefined && idempotencyKey !== header) {
    throw refuse('mismatch', 'The header Idempotency-Key says otherwise: give one, or the same twice.');
  }
  return header;
}
