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
    ...(fault.message ? { said: fault.message.slice(0, 2000) } : {}),
    ...extra,
  });
}

/** An answer that came with HTTP 200 and cannot be used. @param said the endpoint's own words about it. */
export const badResponse = (message: string, cause?: unknown, said?: string): ProviderError =>
  providerError(
    { kind: 'unreadable', ...(said ? { message: said } : {}) },
    message,
    cause === undefined ? {} : { cause },
  );

/** A refusal by this process itself: nothing was sent, nothing is charged. */
export const unsent = (code: InferErrorCode, message: string, cause?: unknown): ProviderError =>
  new ProviderError(code, message, { billed: 'no', unsent: true, ...(cause === undefined ? {} : { cause }) });
