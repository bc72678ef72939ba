import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { Knowledge } from '#functions/research-questions/synthesis/knowledge.ts';
import { chain, orderedSeeds } from '#functions/research-questions/synthesis/synthesise.ts';
import { openPlatform, type Platform } from '#local/platform.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { indexCorpus } from '#shared/research/corpus/build.ts';
import { openCorpus } from '#shared/research/corpus/open.ts';
import { corpusIdOf } from '#shared/research/corpus/settings.ts';
import { readJsonl, readText, writeJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';

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
  /** A folder in which built indexes are kept: one that is there is not built again. */
  indexes?: string;
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
  /** Of building the index; 0 where it was kept from before. CPU seconds count all threads. */
  indexing: { seconds: number; cpuSeconds: number; documents: number; passages: number; index: string };
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
  const kept = request.indexes && join(request.indexes, corpusIdOf(documents, index));
  if (kept) await restore(artifacts, kept);
  const [building, cpu] = [performance.now(), process.cpuUsage()];
  let step;
  do step = await indexCorpus(platform.runtime, { documents, index, owner: 'accuracy' });
  while (!step.done);
  const { user, system } = process.cpuUsage(cpu);
  const { info } = step;
  const indexing = {
    seconds: (performance.now() - building) / 1000,
    cpuSeconds: (user + system) / 1e6,
    documents: info.documents,
    passages: info.passages,
    index: info.index,
  };
  if (kept) await keep(artifacts, kept, step.corpusId);
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
  const answersHash = sha256Hex(await readText(artifacts, output('answers.jsonl')));
  return { answered, answersHash, seconds, indexing };
}

/** Writes the files of a finished index to a folder. */
async function keep(artifacts: Artifacts, folder: string, corpusId: string): Promise<void> {
  const { objects } = await artifacts.list({ prefix: `corpora/${corpusId}/` });
  for (const { key } of objects) {
    const path = join(folder, key);
    if (existsSync(path)) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, (await artifacts.get(key)).body);
  }
}

/** Puts the files of a kept index where they were. */
async function restore(artifacts: Artifacts, folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((file) => file.isFile())) {
    const path = join(entry.parentPath, entry.name);
    await artifacts.put(relative(folder, path), createReadStream(path));
  }
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
