import { sha256Hex } from '#shared/determinism/hash.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import type { CachedAnswer } from '../cache/store.ts';
import type { InferError, InferRequest, InferResult, ModelEntry } from '../types.ts';
import type { ModelAnswer } from './call.ts';
import { CODES } from './codes.ts';

const MAX_RAW_BYTES = 32 * 1024;

type Own = Pick<InferResult, 'id' | 'role' | 'cacheKey' | 'meta'>;

const ownOf = (request: InferRequest, cacheKey: string): Own => ({
  id: request.id,
  role: request.role,
  cacheKey,
  ...(request.meta ? { meta: request.meta } : {}),
});

/** The result of an accepted answer, new or from the cache: the same either way. */
export function okResult(request: InferRequest, cacheKey: string, answer: CachedAnswer): InferResult {
  const { finish, text, reasoning, output, toolCalls, repairs, model, provider, tokens } = answer;
  const own = ownOf(request, cacheKey);
  // One order of members for every result, so that equal results are equal bytes.
  return {
    id: own.id,
    status: 'ok',
    finish,
    text,
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(output === undefined ? {} : { output }),
    ...(toolCalls === undefined ? {} : { toolCalls }),
    repairs,
    role: own.role,
    model,
    provider,
    tokens,
    cacheKey,
    ...(own.meta ? { meta: own.meta } : {}),
  };
}

/** The result of a request that got no usable answer. A raw answer over 32 KiB is kept in an artifact. */
export async function badResult(
  request: InferRequest,
  cacheKey: string,
  answer: ModelAnswer & { status: 'rejected' | 'failed' },
  model: Pick<ModelEntry, 'name' | 'provider'>,
  artifacts: Artifacts,
): Promise<InferResult> {
  const rule = CODES[answer.code];
  const own = ownOf(request, cacheKey);
  const error: InferError = {
    code: answer.code,
    message: rule.message,
    retryable: rule.retryable,
    ...(answer.raw === undefined ? {} : { raw: await rawOf(answer.raw, artifacts) }),
  };
  return {
    id: own.id,
    status: answer.status,
    finish: answer.finish ?? 'error',
    text: '',
    ...(answer.reasoning === undefined ? {} : { reasoning: answer.reasoning }),
    repairs: [],
    role: own.role,
    model: model.name,
    provider: model.provider,
    tokens: { input: answer.usage?.input ?? 0, output: answer.usage?.output ?? 0 },
    cacheKey,
    ...(own.meta ? { meta: own.meta } : {}),
    error,
  };
}

async function rawOf(raw: string, artifacts: Artifacts): Promise<NonNullable<InferError['raw']>> {
  const body = Buffer.from(raw);
  if (body.byteLength <= MAX_RAW_BYTES) return raw;
  const sha256 = sha256Hex(body);
  const key = `cache/raw/${sha256}.txt`;
  await artifacts.put(key, body, { contentType: 'text/plain; charset=utf-8' });
  return { key, sha256, bytes: body.byteLength };
}
