import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { readText } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { fixedTokens, stepInputOf } from '../agent/prompt.ts';
import { memoryTokens } from '../agent/memory.ts';
import { renderStep, renderTools } from '../agent/prompts/render.ts';
import type { AgentConfig, AgentState } from '../agent/types.ts';
import { seedOf, type ResearchConfig } from '../config.ts';
import type { Run, StoredReply } from '../records.ts';
import { researchStepRole } from '../roles/research-step.ts';

/** The request of a run's next model call. Its id, seed and messages follow from the run's steps alone. */
export function stepRequest(
  config: ResearchConfig,
  run: Pick<Run, 'runId' | 'questionId' | 'g'>,
  state: AgentState,
  agent: AgentConfig,
  /** The role's own algorithm answers: it needs the structured input. */
  inside: boolean,
): InferRequest {
  const input = stepInputOf(state, agent, config.input.rollouts > 1);
  const tools = renderTools(input);
  const n = state.n + 1;
  return {
    id: `${run.runId}.${n}.${state.attempt}:research-step`,
    role: { name: researchStepRole.name, version: researchStepRole.version },
    model: config.model,
    messages: renderStep(input),
    ...(inside ? { input } : {}),
    params: {
      temperature: config.temperature,
      maxOutputTokens: config.context.maxOutputTokens,
      seed: seedOf(`${config.cfg}/${config.input.seed}`, run.questionId, run.g, n, state.attempt),
    },
    ...(tools ? { tools } : {}),
    meta: { runId: run.runId, step: n },
  };
}

/** Codes of answers that cannot be used, which are replies of the model all the same. */
const ANSWERED: Readonly<Record<string, StoredReply['finish']>> = {
  EMPTY: 'stop',
  TRUNCATED: 'length',
  CONTENT_FILTERED: 'content_filter',
  PARSE_ERROR: 'stop',
  SCHEMA_INVALID: 'stop',
};

/** What a result of inference says: a reply as it came, or why there is none. */
export async function replyOf(
  result: InferResult,
  artifacts: Artifacts,
): Promise<{ reply: StoredReply } | { failed: string }> {
  if (result.status === 'ok') {
    return {
      reply: {
        text: result.text,
        ...(result.reasoning ? { reasoning: result.reasoning } : {}),
        ...(result.toolCalls?.length
          ? {
              toolCalls: result.toolCalls.map(({ id, name, argumentsText }) => ({ id, name, argumentsText })),
            }
          : {}),
        finish: result.finish,
      },
    };
  }
  const code = result.error?.code ?? 'DEFECT';
  const finish = ANSWERED[code];
  if (finish === undefined) return { failed: code };
  const raw = result.error?.raw;
  const text = raw === undefined ? '' : typeof raw === 'string' ? raw : await readText(artifacts, raw.key);
  return { reply: { text, finish } };
}

/** Tokens of a prompt and a reply: the endpoint's, else as we count them. */
export function tokensOf(
  result: Pick<InferResult, 'tokens'>,
  reply: StoredReply,
  state: AgentState,
  agent: AgentConfig,
): { promptTokens: number; outputTokens: number } {
  const calls = (reply.toolCalls ?? []).map(({ name, argumentsText }) => name + argumentsText).join(' ');
  return {
    promptTokens: result.tokens.input || fixedTokens(state, agent) + memoryTokens(state.memory),
    outputTokens: result.tokens.output || agent.count(`${reply.reasoning ?? ''} ${reply.text} ${calls}`),
  };
}
