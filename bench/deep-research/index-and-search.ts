import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { seededRng, type Rng } from '#shared/determinism/rng.ts';
import { indexCorpus, type IndexStep } from '#shared/research/corpus/build.ts';
import type { Corpus } from '#shared/research/corpus/corpus.ts';
import { openCorpus } from '#shared/research/corpus/open.ts';
import type { IndexKind } from '#shared/research/corpus/settings.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { closeSentenceEncoder, SENTENCE_ENCODER, type Encoder } from '#shared/text/encoder.ts';
import { unitVector } from '#shared/text/vectors.ts';
import { percentile, type Row } from './rows.ts';

/** Indexing of 23 kB profiles, and searching of 100,000 passages. */

const PROFILE_CHARS = 23_000;
const SYLLABLES = 'ba ko ri ne tu la vo mi sha den gor pil ast erm und ova ink tre qua sel'.split(' ');

/** Words with the frequencies of a language: few are common, most are rare (Zipf). */
function vocabulary(rng: Rng, size: number): () => string {
  const words = Array.from({ length: size }, () =>
    Array.from({ length: 2 + rng.below(3) }, () => rng.pick(SYLLABLES)).join(''),
  );
  return () => words[Math.min(size - 1, Math.floor(size ** rng.next()) - 1)]!;
}

/** A profile of headings, `key: value` lines and paragraphs. */
function profile(rng: Rng, word: () => string, n: number): { id: string; title: string; text: string } {
  const some = (least: number, more: number): string =>
    Array.from({ length: least + rng.below(more) }, word).join(' ');
  const lines: string[] = [];
  for (let chars = 0; chars < PROFILE_CHARS;) {
    const kind = rng.below(20);
    const line =
      kind === 0
        ? `\n## ${some(1, 2)}`
        : kind < 3
          ? `${some(40, 60)}.`
          : `${some(1, 3)}: ${some(2, 14)} (${rng.below(3000)} km)`;
    lines.push(line);
    chars += line.length + 1;
  }
  return { id: `p${n}`, title: `${word()} ${word()}`, text: lines.join('\n') };
}

/** Vectors at once: what is measured is the search, not the encoder. */
const instant: Encoder = {
  ...SENTENCE_ENCODER,
  id: 'bench',
  embed: (texts) =>
    Promise.resolve(
      texts.map((text) => {
        const rng = seededRng(text);
        return unitVector(Float32Array.from({ length: SENTENCE_ENCODER.dims }, () => rng.next() - 0.5))!;
      }),
    ),
};

export async function indexRows(): Promise<Row[]> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  const embedded = openEmbedded({ dataDir: dir });
  const runtime = {
    kind: 'embedded',
    artifacts: embedded.artifacts(),
    bucket: (name: string) => embedded.artifacts(name),
    records: embedded.records,
    clock: systemClock,
    ids: randomIds,
    env: {},
  } as unknown as Runtime;
  try {
    const rows = [
      await indexing(runtime, 'lexical', 600, 150),
      await indexing(runtime, 'hybrid', 10, 2),
      ...(await searching(runtime)),
    ];
    return rows;
  } finally {
    await closeSentenceEncoder();
    await embedded.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function build(
  runtime: Runtime,
  name: string,
  count: number,
  index: IndexKind,
  encoder?: Encoder,
): Promise<{ corpus: Corpus; seconds: number; cpuSeconds: number }> {
  const rng = seededRng('bench', name);
  const word = vocabulary(rng, 30_000);
  const rows = Array.from({ length: count }, (_, n) => profile(rng, word, n));
  const documents = await writeJsonl(runtime.artifacts, `in/${name}.jsonl`, rows);
  const given = encoder ? { encoder: () => Promise.resolve(encoder) } : {};
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  let step: IndexStep;
  do step = await indexCorpus(runtime, { documents, index, owner: name, ...given });
  while (!step.done);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const corpus = await openCorpus(runtime, step.corpusId, given.encoder);
  return { corpus, seconds, cpuSeconds: (user + system) / 1e6 };
}

async function indexing(
  runtime: Runtime,
  index: 'lexical' | 'hybrid',
  count: number,
  target: number,
): Promise<Row> {
  const { corpus, seconds, cpuSeconds } = await build(runtime, `index-${index}`, count, index);
  const speed = count / seconds;
  return {
    benchmark: `indexing 23 kB profiles, ${index}`,
    // A busy machine is slow; what a second of CPU does is the machine's own.
    measured: `${speed.toFixed(1)} documents/s (${Math.round(corpus.info.passages / seconds)} passages/s); ${(count / cpuSeconds).toFixed(1)} a second of CPU`,
    target: `>= ${target} documents/s`,
    met: speed >= target,
  };
}

async function searching(runtime: Runtime): Promise<Row[]> {
  const { corpus } = await build(runtime, 'search', 4200, 'hybrid', instant);
  const rng = seededRng('bench', 'queries');
  const word = vocabulary(rng, 30_000);
  // As agents ask: two to seven words, common ones among them.
  const queries = Array.from({ length: 400 }, () => Array.from({ length: 2 + rng.below(6) }, word).join(' '));
  const rows: Row[] = [];
  for (const [kind, semanticWeight, target] of [
    ['lexical', 0, 250],
    ['hybrid', 0.1, 350],
  ] as const) {
    await corpus.search('warm', { semanticWeight });
    const took: number[] = [];
    for (const query of queries) {
      const start = performance.now();
      await corpus.search(query, { semanticWeight });
      took.push(performance.now() - start);
    }
    const [p50, p99] = [percentile(took, 0.5), percentile(took, 0.99)];
    rows.push({
      benchmark: `search of ${corpus.info.passages} passages, ${kind}`,
      measured: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
      target: `p99 <= ${target} ms`,
      met: p99 <= target,
    });
  }
  return rows;
}
