import type { InferResult } from '#shared/models/types.ts';
import type { RejectCode, Stage, StageResult } from '../records.ts';

/** What a model's answer, or its absence, means for a subject. */
export type Outcome<Next> =
  | { status: 'ok'; next: Next }
  | {
      status: 'rejected';
      code: RejectCode;
      evidence: Record<string, unknown>;
      question?: string;
      answer?: string;
    }
  | { status: 'failed'; code: RejectCode; evidence: Record<string, unknown> }
  | { status: 'pending' };

/** Why requests may have no result: the budget ended (they wait) or the model stayed away (they failed). */
export type Stop = 'budget' | 'provider';

/** The failure a result stands for; undefined where the model answered with a valid output (section 8). */
export function failureOf(result: InferResult): Extract<Outcome<never>, { status: 'failed' }> | undefined {
  if (result.status === 'ok') return undefined;
  const error = result.error;
  const evidence = {
    error: error?.code ?? 'DEFECT',
    message: error?.message ?? '',
    ...(error?.raw === undefined ? {} : { raw: error.raw }),
    ...(result.repairs.length > 0 ? { repairs: result.repairs } : {}),
  };
  return { status: 'failed', code: codeOf(error?.code), evidence };
}

function codeOf(code: string | undefined): RejectCode {
  switch (code) {
    case 'TRUNCATED':
      return 'OUTPUT_TRUNCATED';
    case 'PARSE_ERROR':
    case 'SCHEMA_INVALID':
    case 'EMPTY':
      return 'PARSE_ERROR';
    case 'CONTENT_FILTERED':
      return 'PROVIDER_REFUSED';
    case 'CONTEXT_OVERFLOW':
      return 'CONTEXT_OVERFLOW';
    default:
      return 'PROVIDER_ERROR';
  }
}

/** Whether a result need not be asked for again: only provider errors repeat on resume. */
export const isSettled = (result: InferResult): boolean => {
  const failure = failureOf(result);
  return failure === undefined || failure.code !== 'PROVIDER_ERROR';
};

export interface StageCounts {
  planned: number;
  ok: number;
  rejected: number;
  failed: number;
  pending: number;
}

export const noCounts = (): StageCounts => ({ planned: 0, ok: 0, rejected: 0, failed: 0, pending: 0 });

/** How many of a stage's subjects go no further. */
export const ended = ({ rejected, failed }: StageCounts): number => rejected + failed;

export function addCounts(total: StageCounts, more: StageCounts): StageCounts {
  for (const key of Object.keys(total) as (keyof StageCounts)[]) total[key] += more[key];
  return total;
}

/** The StageResult line of a subject. Calls and their cost are the trace's where the batch kept one. */
export function stageResultOf(
  subject: { jobId: string; subjectId: string; stage: Stage; outputRef: string },
  result: InferResult | undefined,
  outcome: Outcome<unknown>,
  trace: CallTrace | undefined,
  planned: { model: string; roleVersion: string },
): StageResult {
  return {
    ...subject,
    status: outcome.status,
    ...('code' in outcome ? { code: outcome.code } : {}),
    provider: result?.provider ?? 'none',
    model: result?.model ?? planned.model,
    roleVersion: result?.role.version ?? planned.roleVersion,
    callId: result?.cacheKey ?? '',
    tokensIn: result?.tokens.input ?? 0,
    tokensOut: result?.tokens.output ?? 0,
    costMicros: trace?.costMicros ?? 0,
    latencyMs: trace?.latencyMs ?? 0,
    attempts: trace?.attempts ?? 0,
    cached: trace?.cached ?? false,
  };
}

export interface CallTrace {
  attempts: number;
  cached: boolean;
  latencyMs: number;
  costMicros: number;
}
