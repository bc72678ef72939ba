import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BenchmarkIndex,
  BenchmarkIndexBuilder,
} from '#functions/dataset-synthesis/curation/benchmark-index.ts';
import { findDuplicates } from '#functions/dataset-synthesis/curation/duplicates.ts';
import { keysOf } from '#functions/dataset-synthesis/keys.ts';
import { SynthesisInputSchema } from '#functions/dataset-synthesis/records.ts';
import { checkRole, filterRole, generateRole, identifyRole } from '#functions/dataset-synthesis/roles.ts';
import { indexSegment } from '#functions/dataset-synthesis/sources/index-segment.ts';
import { planSources } from '#functions/dataset-synthesis/sources/plan.ts';
import {
  filterOutcome,
  filterRequest,
  identifyOutcome,
  identifyRequest,
} from '#functions/dataset-synthesis/stages/analysis.ts';
import {
  checkOutcome,
  checkRequest,
  generateOutcome,
  generateRequest,
  pairIdOf,
} from '#functions/dataset-synthesis/stages/synthesis.ts';
import { seededRng, type Rng } from '#shared/determinism/rng.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { charGrams, jaccard } from '#shared/text/hashes.ts';
import { comparable } from '#shared/text/normalise.ts';

/** The benchmarks of dataset-synthesis section 9, measured in this process on one core. */

interface Row {
  benchmark: string;
  measured: string;
  target: string;
  met: boolean;
}

const seconds = (since: number): number => (performance.now() - since) / 1000;
const rate = (count: number, took: number): number => Math.round(count / took);

/** Words with English-like lengths. */
function lexicon(rng: Rng, size: number): string[] {
  return Array.from({ length: size }, () =>
    Array.from({ length: 3 + rng.below(7) }, () => String.fromCharCode(97 + rng.below(26))).join(''),
  );
}

const sentence = (rng: Rng, words: string[], length: number): string =>
  Array.from({ length }, () => rng.pick(words)).join(' ');

function dedup(): Row {
  const rng = seededRng('bench', 'dedup');
  const words = lexicon(rng, 20_000);
  const questions: string[] = [];
  const originals: [copy: number, original: number][] = [];
  for (let i = 0; i < 100_000; i++) {
    if (i % 5 !== 4) questions.push(sentence(rng, words, 50));
    else {
      // A near copy: one to four words of an earlier text exchanged.
      const original = rng.below(questions.length);
      const copy = questions[original]!.split(' ');
      for (let k = 0; k <= rng.below(4); k++) copy[rng.below(50)] = rng.pick(words);
      originals.push([questions.length, original]);
      questions.push(copy.join(' '));
    }
  }
  const pairs = questions.map((question, i) => ({
    qaId: `q${String(i).padStart(6, '0')}`,
    question,
    answerKey: 'x',
  }));
  const started = performance.now();
  const gone = findDuplicates(pairs, { pairs: 'near', threshold: 0.8 });
  const took = seconds(started);
  const grams = (i: number): Set<string> => charGrams(comparable(questions[i]!), 5);
  const alike = originals.filter(([copy, original]) => jaccard(grams(copy), grams(original)) >= 0.8);
  const recall = alike.filter(([copy]) => gone.has(copy)).length / alike.length;
  return {
    benchmark: 'Pair deduplication, 100 K of 50 words, 20 % near copies',
    measured: `${rate(pairs.length, took)} docs/s, recall ${recall.toFixed(4)} of ${alike.length}`,
    target: '>= 20,000 docs/s, recall >= 0.98',
    met: rate(pairs.length, took) >= 20_000 && recall >= 0.98,
  };
}

async function decontamination(): Promise<Row> {
  const rng = seededRng('bench', 'decontamination');
  const words = lexicon(rng, 20_000);
  const builder = new BenchmarkIndexBuilder(13);
  const items = function* () {
    for (let i = 0; i < 20_000; i++) yield { id: String(i), question: sentence(rng, words, 62), choices: [] };
  };
  await builder.add('bench', items());
  const bytes = builder.bytes();
  const index = new BenchmarkIndex(builder.names, bytes);
  const texts = Array.from({ length: 50_000 }, () => sentence(rng, words, 50));
  const started = performance.now();
  let hits = 0;
  for (const text of texts) hits += index.hits(text).length;
  const took = seconds(started);
  return {
    benchmark: `Decontamination, 50 words, ${(bytes.length / 12 / 1e6).toFixed(1)} M grams`,
    measured: `${rate(texts.length, took)} docs/s${hits > 0 ? ` (${hits} hits)` : ''}`,
    target: '>= 30,000 docs/s',
    met: rate(texts.length, took) >= 30_000,
  };
}

/** A made-up town of about 500 words: prose and a profile. */
function town(n: number): { id: string; title: string; text: string; licence: string } {
  const name = `Mill${['ford', 'wick', 'ham', 'stead', 'bury'][n % 5]} ${n}`;
  const lines = [
    `${name} is a market town on the River Lode that grew around a toll bridge.`,
    `${name} Bridge was built in ${1600 + (n % 300)} by the mason Edwin Hale, and its tower is ${20 + (n % 60)} metres high.`,
    `Area: ${10 + (n % 90)} sq km`,
    `Population: ${(5000 + n * 37).toLocaleString('en')}`,
    `Elevation: ${50 + (n % 400)} m`,
    `The grammar school was founded in ${1550 + (n % 200)} and teaches about ${300 + (n % 500)} pupils from the valley.`,
  ];
  const filler =
    'The streets between the square and the river follow the plan of the old town, and most of the houses along them were built of local stone after the fire. Travellers from the hills bring wool and cheese to the market, which is held in the square on the first day of the week. ';
  return { id: `t${n}`, title: name, text: `${lines.join('\n')}\n\n${filler.repeat(9)}`, licence: 'CC0-1.0' };
}

async function withRuntime<T>(body: (runtime: Runtime) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  const embedded = openEmbedded({ dataDir: dir });
  const runtime = {
    kind: 'embedded',
    artifacts: embedded.artifacts(),
    bucket: (name: string) => embedded.artifacts(name),
    records: embedded.records,
    queue: (name: string) => embedded.queue(name),
    clock: systemClock,
    ids: randomIds,
    env: {},
    writeLog: () => undefined,
  } as unknown as Runtime;
  try {
    return await body(runtime);
  } finally {
    await embedded.close();
    await rm(dir, { recursive: true, force: true });
  }
}

const config = (documents = 1000) => ({
  jobId: 'dataset-synthesis.aaaaaaaaaaaaaaaaaaaaaaaaaa',
  input: SynthesisInputSchema.parse({
    sources: [{ uri: 'bench.jsonl' }],
    limits: { maxDocuments: documents },
  }),
  models: { filter: 'builtin', identify: 'builtin', generate: 'builtin', check: 'builtin' },
  builtin: { filter: true, identify: true, generate: true, check: true },
  contextTokens: {},
  roles: { filter: '', identify: '', generate: '', check: '' },
  fewShotHash: '',
  lexiconHash: '',
  benchmarks: [],
  configHash: 'bench',
});

async function indexing(): Promise<Row> {
  return withRuntime(async (runtime) => {
    const text = Array.from({ length: 8000 }, (_, n) => `${JSON.stringify(town(n))}\n`).join('');
    const bytes = Buffer.from(text);
    await runtime.artifacts.put('bench.jsonl', bytes);
    const keys = keysOf(config().jobId);
    const plan = await planSources(config().input.sources, runtime, keys);
    const started = performance.now();
    let documents = 0;
    for (const segment of plan.segments) {
      documents += (await indexSegment(segment, config(), runtime, keys, undefined)).documents;
    }
    const speed = bytes.length / 1e6 / seconds(started);
    return {
      benchmark: `Indexing, ${(bytes.length / 1e6).toFixed(0)} MB, ${documents} documents`,
      measured: `${speed.toFixed(1)} MB/s`,
      target: '>= 6 MB/s',
      met: speed >= 6,
    };
  });
}

const ROLES = [filterRole, identifyRole, generateRole, checkRole];

async function builtinResult(request: InferRequest): Promise<InferResult> {
  const role = ROLES.find(({ name }) => name === request.role.name)!;
  const output = await role.builtin!(request.input as never, seededRng(request.role.version, request.input));
  return { ...blank(request), provider: 'builtin', output };
}

const blank = (request: InferRequest): InferResult => ({
  id: request.id,
  status: 'ok',
  finish: 'stop',
  text: '',
  repairs: [],
  role: request.role,
  model: request.model,
  provider: 'openai',
  tokens: { input: 0, output: 0 },
  cacheKey: '',
});

/** All stages of one document through the reducers; returns its calls and accepted pairs. */
async function through(
  n: number,
  infer: (request: InferRequest) => Promise<InferResult>,
): Promise<{ calls: number; accepted: number }> {
  const settings = config();
  const source = town(n);
  const document = {
    docId: `d${String(n).padStart(32, '0')}`,
    sourceUri: '',
    position: { file: '', line: n, byteStart: 0, byteEnd: 0 },
    title: source.title,
    text: source.text,
    licence: source.licence,
    tokens: 600,
    meta: {},
  };
  const placed = { document, part: 'p', line: n + 1 };
  let calls = 1;
  let accepted = 0;
  if (filterOutcome(await infer(filterRequest(placed, settings))).status !== 'ok') return { calls, accepted };
  calls++;
  const identified = identifyOutcome(placed, await infer(identifyRequest(placed, settings)!), settings);
  if (identified.status !== 'ok') return { calls, accepted };
  for (let personaIndex = 0; personaIndex < identified.next.personas.length; personaIndex++) {
    const pair = {
      pairId: pairIdOf(document.docId, personaIndex),
      personaIndex,
      analysed: identified.next,
      document,
    };
    calls++;
    const made = generateOutcome(pair, await infer(generateRequest(pair, settings)), settings, undefined);
    if (made.status !== 'ok') continue;
    calls++;
    const verdict = checkOutcome(
      made.next,
      await infer(checkRequest(made.next, document.text, settings)),
      [],
    );
    if (verdict.status === 'ok') accepted++;
  }
  return { calls, accepted };
}

async function builtin(): Promise<Row> {
  const count = 150;
  await through(0, builtinResult);
  const started = performance.now();
  let accepted = 0;
  for (let n = 1; n <= count; n++) accepted += (await through(n, builtinResult)).accepted;
  const took = seconds(started);
  return {
    benchmark: 'Builtin, all roles, 500 words',
    measured: `${rate(count, took)} docs/s, ${(accepted / count).toFixed(2)} pairs a document`,
    target: '>= 40 docs/s',
    met: rate(count, took) >= 40,
  };
}

/** A model that is always right about `town`, after a delay. */
function scripted(delayMs: number): {
  infer: (request: InferRequest) => Promise<InferResult>;
  overhead: () => number;
} {
  let calls = 0;
  let slept = 0;
  const infer = async (request: InferRequest): Promise<InferResult> => {
    calls++;
    if (delayMs > 0) {
      const started = performance.now();
      await systemClock.sleep(delayMs);
      slept += performance.now() - started;
    }
    const input = request.input as { title: string; text: string; personaIndex?: number };
    const year = /built in (\d{4})/.exec(input.text)?.[1];
    const height = /is (\d+ metres) high/.exec(input.text)?.[1];
    const founded = /founded in (\d{4})/.exec(input.text)?.[1];
    const asked = [
      {
        question: `In what year was the bridge of ${input.title} on the River Lode built by Edwin Hale?`,
        answer: year,
        answerType: 'date',
      },
      {
        question: `How high is the tower of the bridge of ${input.title} on the River Lode?`,
        answer: height,
        answerType: 'quantity',
      },
      {
        question: `In what year was the grammar school of ${input.title} on the River Lode founded?`,
        answer: founded,
        answerType: 'date',
      },
    ][input.personaIndex ?? 0]!;
    const output = {
      filter: { thought: '', qualified: true, reason: 'ok' },
      identify: { thought: '', domain: 'Other', personas: ['a', 'b', 'c'] },
      generate: { thought: '', ...asked, aliases: [], evidence: '' },
      check: { thought: '', answerCorrect: true, leaksAnswer: false, hasContext: true },
    }[request.role.name.split('/')[1] as 'filter'];
    return { ...blank(request), output };
  };
  return { infer, overhead: () => slept / Math.max(1, calls) };
}

async function reducers(delayMs: number, inFlight: number, documents: number): Promise<Row> {
  const model = scripted(delayMs);
  const latencies: number[] = [];
  let calls = 0;
  let next = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (next < documents) {
      const n = next++;
      const from = performance.now();
      const done = await through(n, model.infer);
      calls += done.calls;
      latencies.push((performance.now() - from) / done.calls);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const took = seconds(started);
  const p99 = latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)]!;
  const perCall = (took * 1000) / calls;
  const share =
    delayMs === 0 ? 0 : rate(documents, took) / (inFlight / ((delayMs / 1000) * (calls / documents)));
  return delayMs === 0
    ? {
        benchmark: `Zero-latency model, ${documents} documents x ${calls / documents} calls (reducers, one core)`,
        measured: `${rate(documents, took)} docs/s, ${perCall.toFixed(2)} ms a call, p99 ${p99.toFixed(2)} ms`,
        target: '>= 100 docs/s',
        met: rate(documents, took) >= 100,
      }
    : {
        benchmark: `${delayMs} ms model, ${inFlight} in flight`,
        measured: `${rate(documents, took)} docs/s, ${(share * 100).toFixed(0)} % of the ideal`,
        target: '>= 80 %',
        met: share >= 0.8,
      };
}

/** Prints the table; exits 1 with `--check` where a target is missed. */
export default async function run(args: string[] = []): Promise<void> {
  const rows: Row[] = [];
  const benches: Record<string, () => Row | Promise<Row>> = {
    reducers: () => reducers(0, 1, 1000),
    latency: () => reducers(50, 32, 400),
    dedup,
    decontamination,
    indexing,
    builtin,
  };
  const only = args.filter((arg) => !arg.startsWith('-'));
  for (const [name, bench] of Object.entries(benches)) {
    if (only.length === 0 || only.includes(name)) rows.push(await bench());
  }
  console.log('| Benchmark | Measured | Target | Met |\n|---|---|---|---|');
  for (const { benchmark, measured, target, met } of rows) {
    console.log(`| ${benchmark} | ${measured} | ${target} | ${met ? 'yes' : 'no'} |`);
  }
  if (args.includes('--check') && rows.some(({ met }) => !met)) process.exitCode = 1;
}
