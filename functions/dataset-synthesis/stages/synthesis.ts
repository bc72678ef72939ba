import { createHash } from 'node:crypto';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { comparable } from '#shared/text/normalise.ts';
import type { SynthesisConfig } from '../config.ts';
import type { BenchmarkIndex } from '../curation/benchmark-index.ts';
import type { GatedCandidate, PairCandidate } from '../gates/contract.ts';
import { runPairGates } from '../gates/index.ts';
import {
  AnswerTypeSchema,
  CheckOutputSchema,
  GenerateOutputSchema,
  verdictOf,
  type Analysed,
  type Document,
  type Provenance,
  type QaRecord,
} from '../records.ts';
import { checkRole, examplesFor, generateRole } from '../roles.ts';
import { paramsOf, unusable } from './analysis.ts';
import { failureOf, type Outcome } from './outcome.ts';

/** The two stages of a pair: its generation with gates 3 to 8, and the judge (gate 9). Pure reducers. */

/** One planned pair: a document as one of its personas sees it. */
export interface PlannedPair {
  pairId: string;
  personaIndex: number;
  analysed: Analysed;
  document: Document;
}

/** What the judge is asked about: everything of a record but its verdict and the document's text. */
export interface Candidate {
  candidate: GatedCandidate;
  flags: string[];
  part: string;
  line: number;
  /** The document without its text. */
  source: Omit<Document, 'text' | 'meta'>;
  /** The generate call. */
  call: Provenance;
  /** Why the judge cannot be asked. */
  unsent?: Extract<Outcome<never>, { status: 'failed' }>;
}

export const pairIdOf = (docId: string, personaIndex: number): string => `${docId}.${personaIndex}`;

/** Which few-shot draw a pair uses: sha256(seed|pairId) mod variants. */
export function variantOf(seed: number, pairId: string, variants: number): number {
  const digest = createHash('sha256').update(`${seed}|${pairId}`).digest();
  return Number(digest.readBigUInt64BE(0) % BigInt(variants));
}

export function generateRequest(pair: PlannedPair, config: SynthesisConfig): InferRequest {
  const { analysed, document, personaIndex, pairId } = pair;
  const { fewShot, seed, answers } = config.input;
  const variant = variantOf(seed, pairId, fewShot.variants);
  return requestFor(
    generateRole,
    {
      docId: document.docId,
      ...(document.title === undefined ? {} : { title: document.title }),
      text: document.text,
      domain: analysed.domain,
      persona: analysed.personas[personaIndex]!,
      personaIndex,
      personas: analysed.personas,
      answerTypes: answers.allow,
      examples: examplesFor(analysed.domain, variant, fewShot.count, seed),
    },
    { id: `${pairId}:generate`, model: config.models.generate, params: paramsOf('generate', config) },
  );
}

export function generateOutcome(
  pair: PlannedPair,
  result: InferResult,
  config: SynthesisConfig,
  benchmarks: BenchmarkIndex | undefined,
): Outcome<Candidate> {
  const failure = failureOf(result);
  if (failure) return failure;
  const parsed = GenerateOutputSchema.safeParse(result.output);
  if (!parsed.success) return unusable(result);
  const said = parsed.data;
  if (said.declined !== undefined && verdictOf(said.declined)) {
    return { status: 'rejected', code: 'GENERATOR_DECLINED', evidence: { thought: said.thought } };
  }
  const { analysed, document, personaIndex, pairId } = pair;
  const claimed = AnswerTypeSchema.safeParse(said.answerType.trim().toLowerCase());
  const candidate: PairCandidate = {
    pairId,
    docId: document.docId,
    personaIndex,
    domain: analysed.domain,
    persona: analysed.personas[personaIndex]!,
    question: said.question.toWellFormed(),
    answer: said.answer.toWellFormed(),
    answerType: claimed.success ? claimed.data : 'phrase',
    aliases: said.aliases.map((alias) => alias.toWellFormed()),
    evidence: said.evidence.toWellFormed(),
  };
  const rejected = (
    code: Extract<Outcome<never>, { status: 'rejected' }>['code'],
    evidence: Record<string, unknown>,
  ) =>
    ({ status: 'rejected', code, evidence, question: candidate.question, answer: candidate.answer }) as const;

  const verdict = runPairGates(candidate, document, config.input);
  if (!verdict.pass) return rejected(verdict.code, verdict.evidence);
  const flags = [...verdict.flags];
  const hits = benchmarks ? contamination(verdict.candidate, benchmarks) : [];
  if (hits.length > 0) {
    const benchmarkNames = [...new Set(hits.map(({ benchmark }) => benchmark))];
    if (config.input.decontamination.action === 'drop') {
      return rejected('CONTAMINATED', { benchmarks: benchmarkNames, hits });
    }
    flags.push(...benchmarkNames.map((name) => `contaminated:${name}`));
  }
  const { text: _text, meta: _meta, ...source } = document;
  const call = callOf('generate', result);
  const { part, line } = analysed;
  return { status: 'ok', next: { candidate: verdict.candidate, flags, part, line, source, call } };
}

/** Gate 8 over question and answer: every benchmark item that either repeats, once. */
function contamination({ question, answer }: GatedCandidate, benchmarks: BenchmarkIndex) {
  const hits = benchmarks.hits(question);
  const known = new Set(hits.map(({ benchmark, item }) => `${benchmark}\n${item}`));
  // A short answer equal to a short benchmark question is no contamination; a long quotation of one is.
  for (const hit of benchmarks.hits(answer)) {
    const whole = hit.gram.split(' ').length < benchmarks.names.ngram;
    if (!whole && !known.has(`${hit.benchmark}\n${hit.item}`)) hits.push(hit);
  }
  return hits;
}

export function checkRequest(candidate: Candidate, text: string, config: SynthesisConfig): InferRequest {
  const { question, answer, pairId, docId } = candidate.candidate;
  const { title } = candidate.source;
  return requestFor(
    checkRole,
    { docId, ...(title === undefined ? {} : { title }), text, question, answer },
    { id: `${pairId}:check`, model: config.models.check, params: paramsOf('check', config) },
  );
}

/** Gate 9: only correct, not leaking and with context passes; the code is the first failure in that order. */
export function checkOutcome(
  { candidate, flags, source, call }: Candidate,
  result: InferResult,
  earlier: Provenance[],
): Outcome<QaRecord> {
  const failure = failureOf(result);
  if (failure) return failure;
  const parsed = CheckOutputSchema.safeParse(result.output);
  if (!parsed.success) return unusable(result);
  const answerCorrect = verdictOf(parsed.data.answerCorrect);
  const leaksAnswer = verdictOf(parsed.data.leaksAnswer);
  const hasContext = verdictOf(parsed.data.hasContext);
  const code = !answerCorrect
    ? 'CHECK_INCORRECT'
    : leaksAnswer
      ? 'CHECK_LEAK'
      : !hasContext
        ? 'CHECK_CONTEXT'
        : undefined;
  if (code) {
    const evidence = { answerCorrect, leaksAnswer, hasContext, thought: parsed.data.thought };
    return { status: 'rejected', code, evidence, question: candidate.question, answer: candidate.answer };
  }
  const { question, answer, answerType, answerKey, aliases, domain, persona, docId } = candidate;
  const record: QaRecord = {
    qaId: qaIdOf(docId, persona, question, answerKey),
    question,
    answer,
    answerType,
    answerKey,
    answerAliases: aliases,
    domain,
    persona,
    ...(candidate.context === undefined ? {} : { context: candidate.context }),
    ...(candidate.span ? { evidence: candidate.span } : {}),
    docId,
    ...(source.sourceId === undefined ? {} : { sourceId: source.sourceId }),
    sourceUri: source.sourceUri,
    ...(source.title === undefined ? {} : { title: source.title }),
    licence: source.licence,
    ...(source.attribution === undefined ? {} : { attribution: source.attribution }),
    ...(source.lang === undefined ? {} : { lang: source.lang }),
    flags,
    origin: call.provider === 'builtin' ? 'builtin' : 'model',
    provenance: [...earlier, call, callOf('check', result)],
  };
  return { status: 'ok', next: record };
}

/** `q` and 32 hex digits of sha256(docId, persona, normalised question, answerKey; newline-joined). */
export const qaIdOf = (docId: string, persona: string, question: string, answerKey: string): string =>
  `q${sha256Hex([docId, persona, comparable(question), answerKey].join('\n')).slice(0, 32)}`;

export function callOf(stage: Provenance['stage'], result: InferResult): Provenance {
  const { provider, model, role, cacheKey } = result;
  return { stage, provider, model, roleVersion: role.version, callId: cacheKey };
}
