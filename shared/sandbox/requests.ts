import { LIMITS } from './limits.ts';
import type { SandboxRequest } from './types.ts';

const PACKAGES = new Set(['sympy', 'mpmath']);

const within = (value: number, { min, max }: { min: number; max: number }): boolean =>
  Number.isFinite(value) && value >= min && value <= max;

/** What is wrong with a request's own form, naming the field and what to do; nothing when it may run. */
export function requestProblem(request: SandboxRequest): string | undefined {
  const bytes = Buffer.byteLength(request.code) + Buffer.byteLength(request.setup ?? '');
  const { timeoutMs, memoryMb } = LIMITS;
  return request.language !== 'python'
    ? 'language: only "python" runs here'
    : bytes > LIMITS.codeBytes
      ? `code: ${bytes} bytes with its setup; at most ${LIMITS.codeBytes}`
      : Buffer.byteLength(request.call ?? '') > LIMITS.codeBytes
        ? `call: longer than ${LIMITS.codeBytes} bytes`
        : !within(request.timeoutMs, timeoutMs)
          ? `timeoutMs: from ${timeoutMs.min} to ${timeoutMs.max}`
          : !within(request.memoryMb, memoryMb)
            ? `memoryMb: from ${memoryMb.min} to ${memoryMb.max}`
            : !Number.isSafeInteger(request.seed)
              ? 'seed: a whole number'
              : (request.packages ?? []).find((name) => !PACKAGES.has(name)) !== undefined
                ? 'packages: only "sympy" and "mpmath"'
                : undefined;
}
