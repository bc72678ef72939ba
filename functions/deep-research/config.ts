import { hashOf } from '#shared/determinism/hash.ts';
import { costOf } from '#shared/models/ledger/cost.ts';
import { countTokensOf } from '#shared/models/ledger/tokenizers.ts';
import type { ModelEntry, Registry } from '#shared/models/types.ts';
import type { Question } from '#shared/research/types.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { invalidInput, isError, type FieldProblem } from '#shared/task/errors.ts';
import { fixedTokens } from './agent/prompt.ts';
import { initialState } from './agent/reduce.ts';
import type { AgentConfig } from './agent/types.ts';
import { MAX_QUESTION_TOKENS, type InputRef, type ResearchInput } from './input.ts';
import type { Family } from './records.ts';

/** Everything a job's tasks need to know, made once by `prepare` and read by all. */
export interface ResearchConfig {
  jobId: string;
  input: ResearchInput;
  /** Registry names, resolved. */
  model: string;
  judgeModel: string;
  family: Family;
  asOf: string;
  temperature: number;
  memory: 'clean' | 'edit';
  context: { L: number; Lmem: number; maxOutputTokens: number };
  /** The policy judges itself. */
  selfGraded: boolean;
  /** h of the input without concurrency, with what it resolves to: what makes two runs the same data. */
  cfg: string;
}

export const shortHash = (value: unknown): string => hashOf(value).slice(0, 16);

export const runIdOf = (
  cfg: string,
  questionId: string,
  g: number,
  parent?: { runId: string; step: number },
): string => `r-${shortHash([cfg, questionId, g, parent ?? null])}`;

export const groupIdOf = (
  cfg: string,
  questionId: string,
  parent?: { runId: string; step: number },
): string => `g-${shortHash([cfg, questionId, parent ?? null])}`;

/** 31 bits: rollouts never share cached replies, and a resumed run finds its own. */
export const seedOf = (cfg: string, questionId: string, g: number, n: number, attempt: number): number =>
  Number.parseInt(hashOf([cfg, questionId, g, n, attempt]).slice(0, 8), 16) & 0x7fff_ffff;

/** The registry's entry of a model, of a route its first model. */
export function modelOf(registry: Registry, name: string): ModelEntry | undefined {
  const model = registry.models.get(name);
  if (model?.enabled) return model;
  return registry.models.get(registry.routes.get(name)?.models[0] ?? '');
}

/** Objects of an input by what they hold instead of where they lie: the same files uploaded twice are the same data. */
export interface InputContent {
  questions?: string;
  corpus?: Omit<NonNullable<ResearchInput['corpus']>, 'ref'> & { sha256: string };
}

/** Hashes of the objects that an input names; where one is unknown its key stands for it. */
export async function contentOf(artifacts: Artifacts, input: ResearchInput): Promise<InputContent> {
  const hashOfRef = async ({ key, sha256 }: InputRef): Promise<string> => {
    if (sha256 !== undefined) return sha256;
    try {
      return (await artifacts.head(key)).sha256 ?? key;
    } catch (error) {
      if (isError(error, 'NotFound')) return key;
      throw error;
    }
  };
  const { questions, corpus } = input;
  const { ref, ...settings } = corpus ?? {};
  return {
    ...(Array.isArray(questions) ? {} : { questions: await hashOfRef(questions) }),
    ...(corpus && ref
      ? { corpus: { ...(settings as Omit<typeof corpus, 'ref'>), sha256: await hashOfRef(ref) } }
      : {}),
  };
}

/**
 * Makes a job's config from its input: models known, sizes that fit the model and each other.
 * @throws InvalidInput naming every field that cannot be.
 */
export async function resolveConfig(request: {
  jobId: string;
  input: ResearchInput;
  /** The envelope's model. */
  model: string;
  /** ISO date of the job's creation. */
  created: string;
  registry: Registry;
  /** Whether a provider for searching the web is configured. */
  webSearch: boolean;
  /** What the objects hold that the input names: `contentOf`. */
  content: InputContent;
}): Promise<ResearchConfig> {
  const { jobId, input, model, registry } = request;
  const problems: FieldProblem[] = [];
  const fault = (pointer: string, code: string, detail: string): void => {
    problems.push({ pointer, code, detail });
  };
  const names = [...registry.models.keys(), ...registry.routes.keys()].join(', ');
  const entry = modelOf(registry, model);
  if (!entry) fault('/model', 'unknown', `There is no model ${model}; the registry has ${names}.`);
  if (!modelOf(registry, input.judgeModel)) {
    fault('/judgeModel', 'unknown', `There is no model ${input.judgeModel}; the registry has ${names}.`);
  }
  if (input.tools.search === 'http' && !request.webSearch) {
    fault(
      '/tools/search',
      'no_provider',
      'No provider for searching the web is configured: set AGENTMILL_SEARCH to serper, brave or a JSON description.',
    );
  }
  if (!entry) throw invalidInput(texts(problems), { problems });

  const inside = entry.provider === 'builtin';
  const most = inside ? Infinity : entry.contextTokens;
  const L = input.context.L ?? Math.min(32_768, most);
  const context = {
    L,
    Lmem: input.context.Lmem ?? Math.floor(0.75 * L),
    maxOutputTokens: input.context.maxOutputTokens ?? Math.min(4096, Math.floor(L / 8)),
  };
  if (L < 8192)
    fault('/context/L', 'too_small', `The context of ${model} has ${L} tokens; at least 8192 are needed.`);
  if (L > most) fault('/context/L', 'too_large', `The context of ${model} has ${most} tokens.`);
  const family =
    input.family === 'auto' ? (entry.features.tools && !inside ? 'native' : 'single_turn') : input.family;
  const { concurrency: _concurrency, ...settings } = input;
  const asOf = input.asOf ?? request.created.slice(0, 10);
  const config: ResearchConfig = {
    jobId,
    input,
    model,
    judgeModel: input.judgeModel,
    family,
    asOf,
    temperature: input.temperature ?? (input.rollouts > 1 ? 1 : 0.6),
    memory: input.tools.memory ?? (family === 'native' ? 'edit' : 'clean'),
    context,
    selfGraded: input.judgeModel === model,
    cfg: shortHash({ input: { ...settings, ...request.content }, model, asOf, context, family }),
  };
  const agent = await agentConfigOf(config, registry, {
    runId: '',
    question: { kind: 'report', text: '' },
  });
  const fixed = fixedTokens(initialState(), agent);
  if (fixed + context.Lmem + context.maxOutputTokens > L) {
    fault(
      '/context/Lmem',
      'does_not_fit',
      `The fixed prompt (${fixed}), Lmem (${context.Lmem}) and maxOutputTokens (${context.maxOutputTokens}) are more than L (${L}).`,
    );
  }
  if (problems.length > 0) throw invalidInput(texts(problems), { problems });
  return config;
}

const texts = (problems: readonly FieldProblem[]): string => problems.map(({ detail }) => detail).join(' ');

/** What the pure agent works with: the question, sizes, and how tokens and money are counted. */
export async function agentConfigOf(
  config: ResearchConfig,
  registry: Registry,
  run: { runId: string; question: Pick<Question, 'kind' | 'text'> },
): Promise<AgentConfig> {
  const entry = modelOf(registry, config.model);
  const count = await countTokensOf(entry?.tokenizer ?? 'o200k_base');
  const { tools } = config.input;
  const price = entry?.price.at(-1);
  const free = !entry || entry.provider === 'builtin' || !price;
  return {
    runId: run.runId,
    family: config.family,
    question: { kind: run.question.kind, text: run.question.text },
    asOf: config.asOf,
    limits: config.input.limits,
    context: config.context,
    tools: { search: true, browse: tools.browse, python: tools.python, memory: config.memory },
    entityNoun: config.input.corpus?.entityNoun ?? 'entry',
    count,
    price: free ? () => 0 : (input, output) => costOf({ input, output }, price),
  };
}

const loaded = new Map<string, Promise<ResearchConfig>>();

/** The job's config.json, remembered by content while the process lives. */
export async function loadConfig(artifacts: Artifacts, ref: ArtifactRef): Promise<ResearchConfig> {
  let known = loaded.get(ref.sha256);
  if (!known) {
    known = readJson(artifacts, ref) as Promise<ResearchConfig>;
    if (loaded.size >= 20) loaded.delete(loaded.keys().next().value!);
    loaded.set(ref.sha256, known);
    known.catch(() => loaded.delete(ref.sha256));
  }
  return known;
}

/** Whether a question is longer than prompts take. */
export const isTooLong = (text: string, count: (text: string) => number): boolean =>
  // No text has more tokens than bytes.
  text.length > MAX_QUESTION_TOKENS && count(text) > MAX_QUESTION_TOKENS;
