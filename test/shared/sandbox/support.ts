import type { SandboxRequest } from '#shared/sandbox/index.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** As much of an embedded runtime as the sandbox looks at. */
export const embedded = (env: Record<string, string> = {}): Runtime =>
  ({ kind: 'embedded', env }) as unknown as Runtime;

export const request = (fields: Partial<SandboxRequest> = {}): SandboxRequest => ({
  id: 'r',
  language: 'python',
  code: '',
  timeoutMs: 10_000,
  memoryMb: 256,
  seed: 1,
  ...fields,
});

export async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}
