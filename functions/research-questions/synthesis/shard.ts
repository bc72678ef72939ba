import { seededRng } from '#shared/determinism/rng.ts';
import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { corpusUrl } from '#shared/research/corpus/url.ts';
import { writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { compareAnswer } from '#shared/text/answers.ts';
import { splitOf, type QuestionsConfig } from '../config.ts';
import { rowsOf } from '../io.ts';
import type { keysOf } from '../keys.ts';
import type { Candidate, Draft, PlannedLine, Reject, RejectCode, ShardLine } from '../records.ts';
import { extendHopRole, type ExtendHopOutput } from '../roles/extend-hop.ts';
import { validateQuestionRole, type ValidateQuestionOutput } from '../roles/validate-question.ts';
import { draftId, extendedDraft, seedDraft } from './extend.ts';
import type { Knowledge } from './knowledge.ts';
import { noBridge } from './synthesise.ts';
import { scan } from './validate.ts';

/** The stages of a shard: requests out, answers in, drafts and rejects kept between. */

export interface ShardScope {
  artifacts: Artifacts;
  config: QuestionsConfig;
  knowledge: Knowledge;
  keys: ReturnType<typeof keysOf>;
  round: number;
  part: string;
}

interface Answers {
  results: ArtifactRef | undefined;
  stop: string | undefined;
}

/** Characters of a page that a model is shown. */
const PAGE_CHARS = 6000;

const extendId = (id: string): string => `${id}:extend-hop`;
const validateId = (id: string): string => `${id}:validate-question`;
const closedBookId = (id: string, n: number): string => `${id}:closed-book.${n}`;

/** Requests that write a question for each seed, or make each question a hop longer. */
export async function planExtensions(scope: ShardScope): Promise<InferRequest[]> {
  const { artifacts, config, knowledge, keys, round, part } = scope;
  const { entityNoun } = config.input.corpus;
  const planned: PlannedLine[] = [];
  const rejects: Reject[] = [];
  const requests: InferRequest[] = [];
  for (const line of await rowsOf<ShardLine>(artifacts, keys.lines(round, part))) {
    const candidate = 'seed' in line ? line.seed : bridgeFor(scope, line.draft);
    if (!candidate) {
      const { draft } = line as { draft: Draft };
      // What cannot be made longer may be long enough.
      if (draft.extensions + 1 < config.input.hops.min || config.input.solverRuns > 0)
        rejects.push(noBridge(draft));
      else planned.push({ id: draft.id, candidates: [], draft });
      continue;
    }
    const draft = 'draft' in line ? line.draft : undefined;
    const id = draft?.id ?? draftId(candidate);
    planned.push({ id, candidates: [candidate], ...(draft ? { draft } : {}) });
    const input = {
      hop: round,
      ...(draft
        ? {
            question: draft.question,
            answer: draft.answer,
            ...(draft.entity === undefined ? {} : { entity: draft.entity }),
          }
        : {}),
      page: pageOf(knowledge, candidate.documentId),
      entityNoun,
      analysis: { candidates: [candidate] },
    };
    const params = { seed: Math.floor(seededRng(config.input.seed, id, round).next() * 2 ** 31) };
    requests.push(requestFor(extendHopRole, input, { id: extendId(id), model: config.model, params }));
  }
  await writeJsonl(artifacts, keys.planned(round, part), planned);
  await writeJsonl(artifacts, keys.rejects(round, `extend.${part}`), rejects);
  return requests;
}

/** A description of the entity that a question names, from the documents of the question's split: links before attributes. */
function bridgeFor({ config, knowledge }: ShardScope, draft: Draft): Candidate | undefined {
  if (draft.entity === undefined) return undefined;
  const used = draft.chain.map(({ relation }) => relation);
  const split = splitOf(config, draft.seedDocument);
  const bridges = knowledge
    .bridges(draft.entity, draft.answer, used)
    .filter(({ documentId }) => splitOf(config, documentId) === split);
  const links = bridges.filter(({ form }) => form === 'link');
  const offered = links.length > 0 ? links : bridges;
  return offered.length === 0
    ? undefined
    : seededRng(config.input.seed, 'bridge', draft.id, draft.extensions).pick(offered);
}

function pageOf(knowledge: Knowledge, documentId: string): { url: string; title: string; text: string } {
  const document = knowledge.document(documentId);
  return {
    url: corpusUrl(documentId),
    title: document?.title ?? documentId,
    text: (document?.text ?? '').slice(0, PAGE_CHARS),
  };
}

async function resultsOf({ artifacts }: ShardScope, { results }: Answers): Promise<Map<string, InferResult>> {
  const rows = results ? await rowsOf<InferResult>(artifacts, results) : [];
  return new Map(rows.map((result) => [result.id, result]));
}

/** Takes the questions through the gates, and makes the requests that examine them. */
export async function planValidation(scope: ShardScope, answers: Answers): Promise<InferRequest[]> {
  const { artifacts, config, knowledge, keys, round, part } = scope;
  const results = await resultsOf(scope, answers);
  const drafts: Draft[] = [];
  const rejects: Reject[] = [];
  const requests: InferRequest[] = [];
  for (const { id, candidates, draft: earlier } of await rowsOf<PlannedLine>(
    artifacts,
    keys.planned(round, part),
  )) {
    if (candidates.length === 0) {
      // Examined in the round before.
      drafts.push(earlier!);
      continue;
    }
    const result = results.get(extendId(id));
    if (result?.status !== 'ok') {
      if (!answers.stop)
        rejects.push({
          id,
          stage: 'extend',
          code: 'model_failed',
          detail: `No question: ${result?.error?.code ?? 'no answer'}.`,
        });
      continue;
    }
    const output = result.output as ExtendHopOutput;
    const made = earlier ? extendedDraft(earlier, candidates, output) : seedDraft(candidates[0]!, output);
    if ('reject' in made) {
      rejects.push(made.reject);
      continue;
    }
    const { draft } = made;
    const analysis = scan(draft, knowledge, (documentId) => knowledge.document(documentId)?.text);
    if (!analysis.derivable) {
      rejects.push({
        id,
        stage: 'extend',
        code: 'quote_not_found',
        detail: analysis.reasons.join(' '),
        question: draft.question,
      });
      continue;
    }
    drafts.push(draft);
    const pages = draft.documents.map((documentId) => pageOf(knowledge, documentId));
    const { question, answer } = draft;
    requests.push(
      requestFor(
        validateQuestionRole,
        { question, answer, pages, closedBook: false, ...(config.builtin ? { analysis } : {}) },
        { id: validateId(id), model: config.model },
      ),
    );
    for (let n = 0; n < (config.builtin ? 0 : config.input.closedBookTries); n++) {
      requests.push(
        requestFor(
          validateQuestionRole,
          { question, pages: [], closedBook: true },
          { id: closedBookId(id, n), model: config.model, params: { temperature: 0.7, sample: n } },
        ),
      );
    }
  }
  await writeJsonl(artifacts, keys.drafts(round, part), drafts);
  await writeJsonl(artifacts, keys.rejects(round, `gate.${part}`), rejects);
  if (answers.stop)
    await writeJson(artifacts, keys.stopped(round, `extend.${part}`), { error: answers.stop });
  return requests;
}

/** Writes the questions that were found sound. @returns the lines that the shard had. */
export async function closeShard(scope: ShardScope, answers: Answers): Promise<number> {
  const { artifacts, config, keys, round, part } = scope;
  const results = await resultsOf(scope, answers);
  const valid: Draft[] = [];
  const rejects: Reject[] = [];
  for (const draft of await rowsOf<Draft>(artifacts, keys.drafts(round, part))) {
    const { id } = draft;
    if (draft.extensions < round) {
      valid.push(draft);
      continue;
    }
    const reject = (code: RejectCode, detail: string): void =>
      void rejects.push({ id, stage: 'validate', code, detail, question: draft.question });
    const result = results.get(validateId(id));
    if (result?.status !== 'ok') {
      if (!answers.stop) reject('model_failed', `Not examined: ${result?.error?.code ?? 'no answer'}.`);
      continue;
    }
    const { unique, derivable, leaks, reasons } = result.output as ValidateQuestionOutput;
    const why = reasons.join(' ');
    const tries = Array.from({ length: config.input.closedBookTries }, (_, n) =>
      results.get(closedBookId(id, n)),
    );
    const known = tries.find((tried) => {
      const answer = tried?.status === 'ok' ? (tried.output as ValidateQuestionOutput).answer : undefined;
      return answer !== undefined && compareAnswer(draft.answer, answer).equal;
    });
    if (unique !== true) reject('not_unique', why);
    else if (derivable !== true) reject('not_derivable', why);
    else if ((leaks ?? []).length > 0) reject('leaks', leaks!.join(', '));
    else if (known) reject('closed_book', 'The model knows the answer without the corpus.');
    else valid.push(draft);
  }
  await writeJsonl(artifacts, keys.valid(round, part), valid);
  await writeJsonl(artifacts, keys.rejects(round, `validate.${part}`), rejects);
  if (answers.stop)
    await writeJson(artifacts, keys.stopped(round, `validate.${part}`), { error: answers.stop });
  return (await rowsOf<ShardLine>(artifacts, keys.lines(round, part))).length;
}
