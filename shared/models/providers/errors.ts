import { ProviderError, type InferErrorCode, type Usage } from '../types.ts';
import { classify, type Fault } from './classify.ts';

/** Classifies a fault and makes its error. `message` is for logs and never carries a prompt or a provider's body. */
export function providerError(
  fault: Fault,
  message: string,
  extra: { retryAfterMs?: number; usage?: Usage; cause?: unknown } = {},
): ProviderError {
  const { code, billed, untilDeadline } = classify(fault);
  return new ProviderError(code, message, {
    billed,
    untilDeadline,
    ...(fault.status === undefined ? {} : { httpStatus: fault.status }),
    ...extra,
  });
}

/** An answer that came with HTTP 200 and cannot be used. */
export const badResponse = (message: string, cause?: unknown): ProviderError =>
  providerError({ kind: 'unreadable' }, message, cause === undefined ? {} : { cause });

/** A refusal by this process itself: nothing was sent, nothing is charged. */
export const unsent = (code: InferErrorCode, message: string, cause?: unknown): ProviderError =>
  new ProviderError(code, message, { billed: 'no', unsent: true, ...(cause === undefined ? {} : { cause }) });
