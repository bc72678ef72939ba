import { isoTime } from '#shared/determinism/clock.ts';
import { redactText } from '#shared/task/redact.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { InferRequest, LedgerRow } from '../types.ts';

const MAX_SHOWN_BYTES = 2048;
const EMAIL = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g;

/** A text for logs that were asked for: at most 2 KiB, without secrets and addresses. */
function shown(text: string): string {
  return redactText(text.slice(0, MAX_SHOWN_BYTES)).replace(EMAIL, '[redacted]').slice(0, MAX_SHOWN_BYTES);
}

/**
 * Logs a settled attempt: identifiers and numbers only. Prompt, answer and the provider's words appear with
 * AGENTMILL_LOG_PROMPTS=1 alone.
 */
export function logAttempt(
  runtime: Pick<Runtime, 'clock' | 'env' | 'writeLog'>,
  row: LedgerRow,
  detail: { request: InferRequest; text?: string; error?: string },
): void {
  const line: Record<string, unknown> = {
    time: isoTime(runtime.clock.now()),
    level: row.outcome === 'error' ? 'warn' : 'info',
    message: 'model call',
    jobId: row.jobId,
    workflow: row.workflow,
    stage: row.stage,
    requestId: row.requestId,
    attemptId: row.attemptId,
    model: row.model,
    kind: row.kind,
    outcome: row.outcome,
    code: row.errorCode,
    status: row.httpStatus,
    tokensIn: row.tokensIn,
    tokensOut: row.tokensOut,
    costMicros: row.costMicros,
    latencyMs: row.latencyMs,
  };
  if (runtime.env.AGENTMILL_LOG_PROMPTS === '1') {
    line.prompt = shown(JSON.stringify(detail.request.messages).slice(0, 4 * MAX_SHOWN_BYTES));
    if (detail.text !== undefined) line.answer = shown(detail.text);
    if (detail.error !== undefined) line.error = shown(detail.error);
  }
  runtime.writeLog(JSON.stringify(line));
}

/** Logs what somebody must look at, which fails no call: identifiers and numbers only. */
export function logError(
  runtime: Pick<Runtime, 'clock' | 'writeLog'>,
  message: string,
  facts: Record<string, string | number>,
): void {
  runtime.writeLog(JSON.stringify({ time: isoTime(runtime.clock.now()), level: 'error', message, ...facts }));
}
