import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Knowledge } from '#functions/research-questions/synthesis/knowledge.ts';
import { chain, orderedSeeds } from '#functions/research-questions/synthesis/synthesise.ts';
import { openPlatform, type Platform } from '#local/platform.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { indexCorpus } from '#shared/research/corpus/build.ts';
import { openCorpus } from '#shared/research/corpus/open.ts';
import { readJsonl, readText, writeJsonl } from '#shared/storage/jsonl.ts';

/** How well the agent answers without a model: questions synthesised from a corpus, and others written by hand. */

export interface AccuracyQuestion {
  group: string;
  text: string;
  gold: string;
  aliases?: string[];
}

export interface AccuracyRequest {
  /** A JSONL file of documents. */
  corpus: string;
  entityNoun: string;
  seed: number;
  oneHop: number;
  /** Half by links, half by attributes, as far as the corpus has them. */
  twoHop: number;
  /** Further questions. */
  more?: AccuracyQuestion[];
  index?: 'auto' | 'lexical' | 'hybrid';
}

export interface Answered extends AccuracyQuestion {
  answer?: string;
  status: string;
  steps: number;
  right: boolean;
  citations: { url: string; quote: string; status: string }[];
}

export interface Accuracy {
  answered: Answered[];
  /** SHA-256 of answers.jsonl. */
  answersHash: string;
  seconds: number;
}

/** Makes the questions, runs one job over all of them on a platform of its own, and reads what came out. */
export async function measureAccuracy(request: AccuracyRequest): Promise<Accuracy> {
  const dataDir = await mkdtemp(join(tmpdir(), 'agentmill-accuracy-'));
  const platform = await openPlatform({ dataDir });
  try {
    return await measure(platform, request);
  } finally {
    await platform.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const CORPUS = 'in/documents.jsonl';
const QUESTIONS = 'in/questions.jsonl';

async function measure(platform: Platform, request: AccuracyRequest): Promise<Accuracy> {
  const { artifacts } = platform.runtime;
  const bytes = await readFile(request.corpus);
  await artifacts.put(CORPUS, bytes);
  const documents = { key: CORPUS, sha256: sha256Hex(bytes), bytes: bytes.length };
  // The job below finds this index built.
  const index = request.index ?? 'auto';
  let step;
  do step = await indexCorpus(platform.runtime, { documents, index, owner: 'accuracy' });
  while (!step.done);
  const knowledge = new Knowledge(await openCorpus(platform.runtime, step.corpusId));
  const questions = [...synthesised(knowledge, request), ...(request.more ?? [])];
  await writeJsonl(
    artifacts,
    QUESTIONS,
    questions.map(({ text, gold, aliases }) => ({ text, gold, ...(aliases ? { aliases } : {}) })),
  );

  const began = performance.now();
  const job = await platform.run('deep-research', {
    questions: { key: QUESTIONS },
    corpus: { ref: { key: CORPUS }, index, entityNoun: request.entityNoun },
    asOf: '2026-01-01',
    seed: request.seed,
  });
  const seconds = (performance.now() - began) / 1000;
  if (job.status !== 'SUCCEEDED')
    throw new Error(`The job ended as ${job.status}: ${JSON.stringify(job.error)}`);
  const output = (name: string): string => `jobs/${job.jobId}/output/${name}`;
  const byQuestion = new Map<string, Omit<Answered, keyof AccuracyQuestion>>();
  const texts = new Map<string, string>();
  for await (const { value } of readJsonl(artifacts, output('runs.jsonl'))) {
    const run = value as { runId: string; questionId: string; status: string; usage: { steps: number } };
    byQuestion.set(run.questionId, {
      status: run.status,
      steps: run.usage.steps,
      right: false,
      citations: [],
    });
  }
  for await (const { value } of readJsonl(artifacts, output('answers.jsonl'))) {
    const row = value as {
      questionId: string;
      question: string;
      short?: string;
      reward?: number;
      citations: Answered['citations'];
    };
    texts.set(row.question, row.questionId);
    Object.assign(byQuestion.get(row.questionId)!, {
      ...(row.short === undefined ? {} : { answer: row.short }),
      right: row.reward === 1,
      citations: row.citations,
    });
  }
  const answered = questions.map((question) => {
    const found = byQuestion.get(texts.get(question.text) ?? '');
    return { ...question, ...(found ?? { status: 'none', steps: 0, right: false, citations: [] }) };
  });
  return { answered, answersHash: sha256Hex(await readText(artifacts, output('answers.jsonl'))), seconds };
}

function synthesised(knowledge: Knowledge, request: AccuracyRequest): AccuracyQuestion[] {
  const { entityNoun, seed } = request;
  const seeds = orderedSeeds(knowledge, seed);
  const texts = new Set<string>();
  const take = (
    group: string,
    extensions: number,
    count: number,
    form?: 'link' | 'attribute',
  ): AccuracyQuestion[] => {
    const taken: AccuracyQuestion[] = [];
    for (const fact of seeds) {
      if (taken.length >= count) break;
      const made = chain(knowledge, fact, extensions, { entityNoun, seed, ...(form ? { form } : {}) });
      if (!('draft' in made) || texts.has(made.draft.question)) continue;
      texts.add(made.draft.question);
      taken.push({ group, text: made.draft.question, gold: made.draft.answer });
    }
    return taken;
  };
  const one = take('one-hop', 0, request.oneHop);
  const links = take('two-hop, link', 1, Math.floor(request.twoHop / 2), 'link');
  return [...one, ...links, ...take('two-hop, attribute', 1, request.twoHop - links.length, 'attribute')];
}

export interface Share {
  group: string;
  right: number;
  of: number;
}

/** Right answers by group, in the order the groups first occur; `prefix` sums groups that begin alike. */
export function shares(answered: readonly Answered[], groupOf = (group: string): string => group): Share[] {
  const groups = new Map<string, Share>();
  for (const { group, right } of answered) {
    const name = groupOf(group);
    const share = groups.get(name) ?? { group: name, right: 0, of: 0 };
    groups.set(name, share);
    share.of++;
    if (right) share.right++;
  }
  return [...groups.values()];
}
