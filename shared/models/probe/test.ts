import type { Runtime } from '#shared/task/runtime.ts';
import { CODEC_SUPPORT } from '../codecs/support.ts';
import { requestFor } from '../role.ts';
import type { InferRequest, ModelEntry } from '../types.ts';
import { askerOf, fitting, type Asked, type Asker } from './ask.ts';
import { isHopeless, isUnreachable, table, type Report } from './report.ts';
import { countRole, sumRole } from './roles.ts';
import { singleModel } from './single-model.ts';

export type CaseName = 'text' | 'schema' | 'tool' | 'stream' | 'truncation' | 'error';

export interface CaseResult {
  name: CaseName;
  result: 'pass' | 'fail' | 'skip';
  detail: string;
}

export interface TestData {
  model: string;
  cases: CaseResult[];
  /** The features to register the model with, by what it did. */
  suggested: { jsonSchema: boolean; tools: boolean; streaming: boolean };
  costMicros: number;
}

/** Codes by which an endpoint refuses a request for good, as it should a request for a model it does not serve. */
const REFUSED = new Set(['NOT_FOUND', 'BAD_REQUEST', 'AUTH', 'QUOTA', 'CONTEXT_OVERFLOW']);

/**
 * Tries what an endpoint can do, with every feature switched on whatever the registry says, and suggests the flags
 * (model-inference section 13). Exit codes: 0 all passed, 1 something failed, 2 unreachable, 3 unknown.
 */
export async function testModel(
  runtime: Runtime,
  name: string,
  signal?: AbortSignal,
): Promise<Report<TestData | { model: string; error: string }>> {
  const found = await singleModel(runtime, name, 'tested');
  if ('refusal' in found) return found.refusal;
  const { model } = found;
  const asker = await askerOf(runtime, model, signal);
  const data: TestData = {
    model: name,
    cases: [],
    suggested: { jsonSchema: false, tools: false, streaming: false },
    costMicros: 0,
  };
  /** The code by which the first question failed for good. */
  let hopeless: string | undefined;
  try {
    for (const [caseName, run] of Object.entries(CASES) as [CaseName, Case][]) {
      const { code, ...outcome }: Outcome = hopeless
        ? skip(isUnreachable(hopeless) ? 'the endpoint is unreachable' : `the endpoint answers ${hopeless}`)
        : await run(asker, model, data);
      data.cases.push({ name: caseName, ...outcome });
      if (caseName === 'text' && isHopeless(code)) hopeless = code;
    }
  } finally {
    await asker.close();
  }
  const unreachable = isUnreachable(hopeless);
  const failed = data.cases.some(({ result }) => result === 'fail');
  return { text: textOf(data), exitCode: unreachable ? 2 : failed ? 1 : 0, data };
}

type Outcome = Omit<CaseResult, 'name'> & { code?: string | undefined };
type Case = (asker: Asker, model: ModelEntry, data: TestData) => Promise<Outcome>;

const pass = (detail: string): Outcome => ({ result: 'pass', detail });
const fail = (detail: string): Outcome => ({ result: 'fail', detail });
const skip = (detail: string): Outcome => ({ result: 'skip', detail });

/** What went wrong with an answer: a word, and why where that is known. */
const wrong = ({ result, reason }: Asked): string =>
  `${result.error?.code ?? result.finish}${reason === undefined ? '' : `: ${reason}`}`;

const withFeatures = (model: ModelEntry, features: Partial<ModelEntry['features']>): ModelEntry => ({
  ...model,
  features: { ...model.features, ...features },
});

const isOwn = (model: ModelEntry): boolean => model.provider === 'builtin' || model.provider === 'replay';

async function ask(
  asker: Asker,
  data: TestData,
  request: Omit<InferRequest, 'model'>,
  model: ModelEntry,
): Promise<Asked> {
  const asked = await asker.ask({ ...request, params: fitting(request.params, model) }, model);
  data.costMicros += asked.trace.costMicros;
  return asked;
}

const counting = (id: string, to: number): Omit<InferRequest, 'model'> => {
  const { output: _free, ...request } = requestFor(countRole, { to }, { id, model: '' });
  return request;
};

const CASES: Record<CaseName, Case> = {
  async text(asker, model, data) {
    const asked = await ask(asker, data, counting('test:text', 3), withFeatures(model, { streaming: false }));
    if (asked.result.status === 'ok') return pass(`${asked.result.text.length} characters`);
    return { ...fail(wrong(asked)), code: asked.result.error?.code };
  },
  async schema(asker, model, data) {
    const request = requestFor(sumRole, { a: 17, b: 25 }, { id: 'test:schema', model: '' });
    const constrained = await ask(
      asker,
      data,
      request,
      withFeatures(model, { jsonSchema: true, streaming: false }),
    );
    if (constrained.result.status === 'ok' && constrained.result.repairs.length === 0) {
      data.suggested.jsonSchema = !isOwn(model);
      return pass('constrained, no repair');
    }
    const free = await ask(
      asker,
      data,
      request,
      withFeatures(model, { jsonSchema: false, streaming: false }),
    );
    return free.result.status === 'ok' ? pass('only without constrained decoding') : fail(wrong(free));
  },
  async tool(asker, model, data) {
    if (isOwn(model)) return skip(`${model.provider} calls no tools`);
    if (!CODEC_SUPPORT[model.codec].tools) return skip(`the codec ${model.codec} carries no tools`);
    const parameters = {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
      required: ['a', 'b'],
      additionalProperties: false,
    };
    const asked = await ask(
      asker,
      data,
      {
        id: 'test:tool',
        role: { name: 'models/tool', version: '1' },
        messages: [{ role: 'user', content: 'Use the tool to add 17 and 25.' }],
        params: { temperature: 0, maxOutputTokens: 512 },
        tools: [{ name: 'add', description: 'Adds two integers.', parameters }],
        toolChoice: 'auto',
      },
      withFeatures(model, { tools: true, streaming: false }),
    );
    const call = asked.result.toolCalls?.[0];
    data.suggested.tools = call !== undefined && call.error === undefined;
    if (data.suggested.tools) return pass(`${call!.name}(${call!.argumentsText})`);
    return fail(call?.error ?? (asked.result.status === 'ok' ? 'no tool call' : wrong(asked)));
  },
  async stream(asker, model, data) {
    if (isOwn(model)) return skip(`${model.provider} does not stream`);
    const asked = await ask(
      asker,
      data,
      counting('test:stream', 20),
      withFeatures(model, { streaming: true }),
    );
    data.suggested.streaming = asked.result.status === 'ok' && asked.textDeltas > 1;
    return data.suggested.streaming
      ? pass(`${asked.textDeltas} pieces`)
      : fail(asked.result.status === 'ok' ? 'one piece only' : wrong(asked));
  },
  async truncation(asker, model, data) {
    if (isOwn(model)) return skip(`${model.provider} has no token limit`);
    const request = counting('test:truncation', 40);
    const asked = await ask(
      asker,
      data,
      { ...request, params: { temperature: 0, maxOutputTokens: 4 } },
      withFeatures(model, { streaming: false }),
    );
    const cut = asked.result.finish === 'length' || asked.result.error?.code === 'TRUNCATED';
    if (cut) return pass('cut at its limit, and says so');
    return fail(
      asked.result.error ? wrong(asked) : `ended as ${wrong(asked)} in spite of a limit of 4 tokens`,
    );
  },
  async error(asker, model, data) {
    if (isOwn(model) || model.provider === 'gguf') return skip(`${model.provider} has no remote errors`);
    // Under a name of its own, so that the refusal does not open the model's breaker.
    const absent = { ...model, name: `${model.name}-absent`, served: 'agentmill-no-such-model' };
    const asked = await ask(
      asker,
      data,
      counting('test:error', 3),
      withFeatures(absent, { streaming: false }),
    );
    const code = asked.result.error?.code;
    if (code === undefined) return pass('ignores the name of the model');
    return REFUSED.has(code) ? pass(code) : fail(`an unknown model gives ${code}`);
  },
};

function textOf(data: TestData): string {
  const flags = JSON.stringify(data.suggested);
  return [
    table(
      ['case', 'result', 'detail'],
      data.cases.map((one) => [one.name, one.result, one.detail]),
    ),
    '',
    `suggested features: ${flags}`,
    `cost: $${(data.costMicros / 1e6).toFixed(6)}`,
  ].join('\n');
}
