import { hashOf } from '#shared/determinism/hash.ts';
import { MAX_REQUEST_LINE_BYTES } from '#shared/models/request-schema.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { allRows, rowsIfAny } from './io.ts';
import { wellFormed } from '#shared/determinism/well-formed.ts';

/**
 * R(role) over many items in lockstep: one file of requests a step. Answers are kept over attempts by what they answer,
 * so that a job that goes on asks only what is open.
 */
export interface LockstepScope {
  ctx: Pick<TaskContext, 'artifacts' | 'attempt'>;
  /** Key prefix of the part's files. */
  prefix: string;
}

/** The requests of one step, and where inference leaves the answers. */
export interface Planned {
  requests: ArtifactRef;
  prefix: string;
  count: number;
}

/** What a request is remembered by: another prompt, model or input makes it another question. */
export const inputHash = (request: InferRequest): string =>
  hashOf([request.role, request.model, request.input ?? null, request.params ?? null]).slice(0, 32);

/** An answer with what it answers. */
interface Remembered {
  hash: string;
  result: InferResult;
}

/** Where the answers of a step are kept, over attempts. */
export const resultsAt = (scope: LockstepScope, step: string): string =>
  `${scope.prefix}/results/${step}.jsonl`;

async function settled(scope: LockstepScope, step: string): Promise<Map<string, InferResult>> {
  const known = await rowsIfAny<Remembered>(scope.ctx.artifacts, resultsAt(scope, step));
  return new Map(known.map(({ hash, result }) => [`${result.id} ${hash}`, result]));
}

/** Bytes of a request that no batch takes; undefined where it may be asked. */
function excess(request: InferRequest): number | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(request));
  return bytes > MAX_REQUEST_LINE_BYTES ? bytes : undefined;
}

/** What stands for the answer to a request that is not asked. */
const unasked = ({ id, role, model, meta }: InferRequest, bytes: number): InferResult => ({
  id,
  status: 'failed',
  finish: 'error',
  text: '',
  repairs: [],
  role,
  model,
  provider: 'builtin',
  tokens: { input: 0, output: 0 },
  cacheKey: '',
  ...(meta === undefined ? {} : { meta }),
  error: {
    code: 'BAD_REQUEST',
    message: `The request would have ${bytes} bytes, a batch takes ${MAX_REQUEST_LINE_BYTES}.`,
    retryable: false,
  },
});

/** Writes the requests that an earlier attempt has no answer to; those that no batch takes are left out. */
export async function planRequests(
  scope: LockstepScope,
  step: string,
  requests: readonly InferRequest[],
): Promise<Planned> {
  const known = await settled(scope, step);
  // Texts that were cut short may end in half a pair.
  const asked = requests
    .map(wellFormed)
    .filter((request) => !known.has(`${request.id} ${inputHash(request)}`) && excess(request) === undefined);
  const prefix = `${scope.prefix}/${step}.${scope.ctx.attempt}`;
  const ref = await writeJsonl(scope.ctx.artifacts, `${prefix}.requests.jsonl`, asked);
  return { requests: ref, prefix, count: asked.length };
}

/** The answers to a step's requests, this attempt's and earlier ones', by request id; they are kept. */
export async function repliesTo(
  scope: LockstepScope,
  step: string,
  requests: readonly InferRequest[],
  results: ArtifactRef | undefined,
): Promise<Map<string, InferResult>> {
  const fresh = new Map<string, InferResult>();
  for (const result of results ? await allRows<InferResult>(scope.ctx.artifacts, results) : []) {
    // A second pass over failures appends its answer after the first one's.
    const before = fresh.get(result.id);
    if (!before || before.status === 'failed') fresh.set(result.id, result);
  }
  const known = await settled(scope, step);
  const replies = new Map<string, InferResult>();
  const kept: Remembered[] = [];
  for (const request of requests.map(wellFormed)) {
    const hash = inputHash(request);
    const given = known.get(`${request.id} ${hash}`) ?? fresh.get(request.id);
    if (!given) {
      const bytes = excess(request);
      if (bytes !== undefined) replies.set(request.id, unasked(request, bytes));
      continue;
    }
    replies.set(request.id, given);
    if (given.status !== 'failed') kept.push({ hash, result: given });
  }
  await writeJsonl(scope.ctx.artifacts, resultsAt(scope, step), kept);
  return replies;
}
