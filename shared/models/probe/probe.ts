import type { Runtime } from '#shared/task/runtime.ts';
import { requestFor } from '../role.ts';
import { askerOf, fitting } from './ask.ts';
import { degeneracyOf } from './degenerate.ts';
import { isHopeless, isUnreachable, type Report } from './report.ts';
import { countRole, sumRole } from './roles.ts';
import { singleModel } from './single-model.ts';

/** What one canary call of each kind showed. */
export interface ProbeData {
  model: string;
  verdict: 'ok' | 'failed' | 'unreachable';
  /** Whether the sum came in its schema and right. */
  schema: { ok: boolean; code?: string; reason?: string; repairs: string[] };
  /** Why the counting is degenerate, if it is, or the code of its failure. */
  counting: { ok: boolean; problem?: string; reason?: string };
  latencyMs: number;
  firstTokenMs: number | null;
  tokens: { input: number; output: number };
  costMicros: number;
}

const A = 17;
const B = 25;

/**
 * Sends a canary to a model: a schema-bound sum, and counting to forty in words (model-inference section 13).
 * Exit codes: 0 ok, 1 failed, 2 unreachable, 3 unknown.
 */
export async function probeModel(
  runtime: Runtime,
  name: string,
  signal?: AbortSignal,
): Promise<Report<ProbeData | { model: string; error: string }>> {
  const found = await singleModel(runtime, name, 'probed');
  if ('refusal' in found) return found.refusal;
  const { model } = found;
  const asker = await askerOf(runtime, model, signal);
  try {
    const sum = await asker.ask({
      ...requestFor(sumRole, { a: A, b: B }, { id: 'probe:sum', model: name }),
      params: fitting(sumRole.params, model),
    });
    const sumOk = sum.result.status === 'ok' && (sum.result.output as { sum: number }).sum === A + B;
    const data: ProbeData = {
      model: name,
      verdict: 'failed',
      schema: {
        ok: sumOk,
        ...(sum.result.error ? { code: sum.result.error.code } : {}),
        ...(sum.reason === undefined ? {} : { reason: sum.reason }),
        repairs: sum.result.repairs,
      },
      counting: { ok: false, problem: 'not asked' },
      latencyMs: sum.trace.latencyMs,
      firstTokenMs: sum.trace.firstTokenMs ?? null,
      tokens: { ...sum.result.tokens },
      costMicros: sum.trace.costMicros,
    };
    const code = sum.result.error?.code;
    if (isHopeless(code)) {
      data.verdict = isUnreachable(code) ? 'unreachable' : 'failed';
      return { text: textOf(data), exitCode: isUnreachable(code) ? 2 : 1, data };
    }
    const { output: _free, ...request } = requestFor(
      countRole,
      { to: 40 },
      { id: 'probe:count', model: name },
    );
    const count = await asker.ask({ ...request, params: fitting(countRole.params, model) });
    const problem = count.result.error?.code ?? degeneracyOf(count.result.text);
    data.counting =
      problem === undefined
        ? { ok: true }
        : { ok: false, problem, ...(count.reason === undefined ? {} : { reason: count.reason }) };
    data.latencyMs += count.trace.latencyMs;
    data.firstTokenMs ??= count.trace.firstTokenMs ?? null;
    data.tokens.input += count.result.tokens.input;
    data.tokens.output += count.result.tokens.output;
    data.costMicros += count.trace.costMicros;
    data.verdict = isUnreachable(count.result.error?.code)
      ? 'unreachable'
      : sumOk && problem === undefined
        ? 'ok'
        : 'failed';
    const exitCode = data.verdict === 'ok' ? 0 : data.verdict === 'failed' ? 1 : 2;
    return { text: textOf(data), exitCode, data };
  } finally {
    await asker.close();
  }
}

function textOf(data: ProbeData): string {
  const { schema, counting } = data;
  const failed = (what: string, reason: string | undefined): string =>
    `failed (${what})${reason === undefined ? '' : `: ${reason}`}`;
  const repairs = schema.repairs.length > 0 ? `, repaired: ${schema.repairs.join(', ')}` : '';
  return [
    `${data.model}: ${data.verdict}`,
    `  schema      ${schema.ok ? 'ok' : failed(schema.code ?? 'wrong sum', schema.reason)}${repairs}`,
    `  counting    ${counting.ok ? 'ok' : failed(counting.problem!, counting.reason)}`,
    `  latency     ${data.latencyMs} ms${data.firstTokenMs === null ? '' : `, first token ${data.firstTokenMs} ms`}`,
    `  tokens      ${data.tokens.input} in, ${data.tokens.output} out`,
    `  cost        $${(data.costMicros / 1e6).toFixed(6)}`,
  ].join('\n');
}
