import { openSandbox } from '#shared/sandbox/index.ts';
import type { Sandbox } from '#shared/sandbox/types.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { hashOf } from '#shared/determinism/hash.ts';

/** Answers that are programs: right if the question's tests raise nothing after them (specification section 10). */

const TIMEOUT_MS = 10_000;
const MEMORY_MB = 256;
const FENCED = /```(?:python|py)?[ \t]*\n([\s\S]*?)```/g;

/** The program in an answer: its last fenced block, else the whole text. */
export function codeOf(answer: string): string {
  const blocks = [...answer.matchAll(FENCED)];
  return blocks.at(-1)?.[1] ?? answer;
}

export interface TestedCode {
  passed: boolean;
  /** What was raised, or what stopped the program. */
  error?: string;
}

/**
 * Runs answers against their tests, each in a process of its own. The tests stand outside of the answer, and only what
 * is computed after them counts: a program that ends early has passed nothing.
 */
export async function testCode(
  runtime: Runtime,
  answers: readonly { runId: string; answer: string; tests: string; seed: number }[],
  signal: AbortSignal,
): Promise<Map<string, TestedCode>> {
  const tested = new Map<string, TestedCode>();
  if (answers.length === 0) return tested;
  const sandbox: Sandbox = await openSandbox(runtime);
  try {
    for (const { runId, answer, tests, seed } of answers) {
      // The program does not know this text, so nothing it returns can stand for it.
      const proof = hashOf([runId, seed, tests]).slice(0, 16);
      const result = await sandbox.run(
        {
          id: runId,
          language: 'python',
          code: codeOf(answer),
          setup: tests,
          call: JSON.stringify(proof),
          timeoutMs: TIMEOUT_MS,
          memoryMb: MEMORY_MB,
          seed,
        },
        { unitId: runId, signal },
      );
      const passed = result.ok && result.value === proof;
      const error = result.ok ? undefined : `${result.error.type}: ${result.error.message}`.slice(0, 300);
      tested.set(runId, { passed, ...(error === undefined ? {} : { error }) });
    }
  } finally {
    await sandbox.close();
  }
  return tested;
}
