import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { defect } from '#shared/task/errors.ts';
import { rowsIfAny } from '../io.ts';
import type { Provenance, Reject, RejectCode, Stage, StageResult } from '../records.ts';
import { rejectOf, type RejectDraft } from '../rejects.ts';
import { overflowOf } from './overflow.ts';
import { noCounts, stageResultOf, type CallTrace, type Outcome, type StageCounts } from './outcome.ts';
import type { BatchResults, StageScope } from './store.ts';

/** What preview shows of a call: the prompt, what the model said, and what was made of it. */
export interface PreviewRow {
  subjectId: string;
  stage: Stage;
  messages: InferRequest['messages'];
  text: string;
  output?: unknown;
  decision: { status: string; code?: RejectCode; evidence?: Record<string, unknown> };
}

/** Gathers what one stage did to one part, and writes it: results, stage results, rejects and, in preview, prompts. */
export class PartRecorder {
  readonly counts: StageCounts = noCounts();
  /** Subjects whose answer may still come. */
  open = 0;
  readonly #scope: StageScope;
  readonly #stage: Stage;
  readonly #part: string;
  readonly #batch: BatchResults;
  readonly #settled: ReadonlyMap<string, InferResult>;
  readonly #results = new Map<string, InferResult>();
  readonly #stages: StageResult[] = [];
  /** Those whose answer came without a trace, most of them from an earlier attempt at this part. */
  readonly #untraced: StageResult[] = [];
  readonly #rejects: Reject[] = [];
  readonly #preview: PreviewRow[] = [];

  constructor(
    scope: StageScope,
    stage: Stage,
    part: string,
    batch: BatchResults,
    settled: ReadonlyMap<string, InferResult>,
  ) {
    this.#scope = scope;
    this.#stage = stage;
    this.#part = part;
    this.#batch = batch;
    this.#settled = settled;
  }

  /**
   * Decides on one subject and records it.
   * @param request makes the subject's request, undefined where none was needed; called only when it is looked at.
   * @param decide is given the answer; undefined where none was needed.
   * @returns what the subject becomes, undefined where it ends here.
   */
  record<Next>(
    subject: { id: string; requested: boolean } & Pick<
      RejectDraft,
      'source' | 'licence' | 'docId' | 'pairId'
    > &
      Partial<Pick<RejectDraft, 'question' | 'answer'>>,
    request: () => InferRequest | undefined,
    decide: (result: InferResult | undefined) => Outcome<Next>,
  ): Next | undefined {
    const { config } = this.#scope;
    const requestId = `${subject.id}:${this.#stage}`;
    const result = subject.requested
      ? (this.#batch.byId.get(requestId) ?? this.#settled.get(requestId))
      : undefined;
    const outcome = subject.requested && !result ? this.#missing(requestId, request) : decide(result);
    if (result) this.#results.set(requestId, result);
    this.counts.planned++;
    this.counts[outcome.status]++;
    if (outcome.status === 'pending' || ('code' in outcome && outcome.code === 'PROVIDER_ERROR')) this.open++;
    if ('code' in outcome) {
      const { id: _id, requested: _requested, ...where } = subject;
      const { code, evidence } = outcome;
      const said = 'question' in outcome ? { question: outcome.question, answer: outcome.answer } : {};
      const draft = { ...where, ...dropUndefined(said), code, evidence };
      const call = result ? { callId: result.cacheKey } : {};
      this.#rejects.push(rejectOf(config.jobId, this.#stage, { ...draft, ...call }));
    }
    const planned = { model: config.models[this.#stage], roleVersion: config.roles[this.#stage] };
    const trace: CallTrace | undefined = this.#batch.traces.get(requestId);
    const outputRef = this.#scope.keys.results(this.#stage, this.#part);
    const identity = { jobId: config.jobId, subjectId: subject.id, stage: this.#stage, outputRef };
    const stage = stageResultOf(identity, result, outcome, trace, planned);
    this.#stages.push(stage);
    if (result && !trace) this.#untraced.push(stage);
    if (config.input.mode === 'preview') this.#show(subject.id, request(), result, outcome);
    return outcome.status === 'ok' ? outcome.next : undefined;
  }

  #missing(requestId: string, request: () => InferRequest | undefined): Outcome<never> {
    const unsent = request();
    const overflow = unsent && overflowOf(this.#stage, unsent, this.#scope.config);
    if (overflow) return overflow;
    if (this.#batch.stop === 'budget') return { status: 'pending' };
    if (this.#batch.stop === 'provider') {
      const evidence = {
        error: 'UNAVAILABLE',
        message: 'The model could not be reached for as long as was waited.',
      };
      return { status: 'failed', code: 'PROVIDER_ERROR', evidence };
    }
    throw defect(`Inference gave no result for ${requestId}.`);
  }

  #show(
    subjectId: string,
    request: InferRequest | undefined,
    result: InferResult | undefined,
    outcome: Outcome<unknown>,
  ) {
    this.#preview.push({
      subjectId,
      stage: this.#stage,
      messages: request?.messages ?? [],
      text: result?.text ?? '',
      ...(result?.output === undefined ? {} : { output: result.output }),
      decision: {
        status: outcome.status,
        ...('code' in outcome ? { code: outcome.code, evidence: outcome.evidence } : {}),
      },
    });
  }

  /** Answers of an earlier attempt keep what they took then. */
  async #traceEarlier(): Promise<void> {
    if (this.#untraced.length === 0) return;
    const { ctx, keys } = this.#scope;
    const earlier = new Map<string, StageResult>();
    for await (const row of rowsIfAny<StageResult>(ctx.artifacts, keys.stages(this.#stage, this.#part)))
      earlier.set(row.subjectId, row);
    for (const row of this.#untraced) {
      const before = earlier.get(row.subjectId);
      if (before?.callId !== row.callId) continue;
      const { costMicros, latencyMs, attempts, cached } = before;
      Object.assign(row, { costMicros, latencyMs, attempts, cached });
    }
  }

  async write(): Promise<void> {
    const { ctx, keys, config } = this.#scope;
    await this.#traceEarlier();
    await writeJsonl(ctx.artifacts, keys.results(this.#stage, this.#part), this.#results.values());
    await writeJsonl(ctx.artifacts, keys.stages(this.#stage, this.#part), this.#stages);
    await writeJsonl(ctx.artifacts, keys.rejects(this.#stage, this.#part), this.#rejects);
    if (config.input.mode === 'preview') {
      await writeJsonl(ctx.artifacts, keys.preview(this.#stage, this.#part), this.#preview);
    }
  }
}

const dropUndefined = <T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never;

/** The call a StageResult line stands for, as records cite it. */
export const provenanceOf = ({ stage, provider, model, roleVersion, callId }: StageResult): Provenance => ({
  stage,
  provider,
  model,
  roleVersion,
  callId,
});
