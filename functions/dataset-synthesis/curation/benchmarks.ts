import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { jsonIfAny, readJson, writeJson } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { scanLines } from '#shared/text/lines.ts';
import type { SynthesisConfig } from '../config.ts';
import type { Keys } from '../keys.ts';
import type { Benchmark } from '../records.ts';
import { locate } from '../sources/locations.ts';
import { parseLine } from '../sources/readers.ts';
import {
  BenchmarkIndex,
  BenchmarkIndexBuilder,
  type BenchmarkItem,
  type BenchmarkNames,
} from './benchmark-index.ts';

const MAX_LINE_BYTES = 4 * 1024 * 1024;
const QUESTION = ['question', 'text', 'prompt', 'problem', 'query'];

/** Size and SHA-256 of a benchmark file. @throws InvalidInput where there is none. */
export async function benchmarkFile(
  benchmark: Benchmark,
  index: number,
  runtime: Runtime,
): Promise<SynthesisConfig['benchmarks'][number]> {
  const { artifacts, key, scheme } = locate(benchmark.uri, runtime);
  try {
    const { body, bytes } = await artifacts.get(key);
    const hash = createHash('sha256');
    for await (const chunk of body) hash.update(chunk);
    return { name: benchmark.name, file: scheme + key, sha256: hash.digest('hex'), bytes };
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
    const detail = `benchmarks[${index}].uri: there is no file ${benchmark.uri}.`;
    throw invalidInput(detail, {
      problems: [{ pointer: `/benchmarks/${index}/uri`, code: 'not_found', detail }],
    });
  }
}

/** The items of a benchmark's JSONL, plain or gzip. @throws InvalidInput naming the line without a question. */
export async function* benchmarkItems(
  benchmark: Benchmark,
  runtime: Pick<Runtime, 'artifacts' | 'bucket'>,
): AsyncGenerator<BenchmarkItem> {
  const { artifacts, key } = locate(benchmark.uri, runtime);
  for await (const line of scanLines(await plainBytes(artifacts, key), { maxBytes: MAX_LINE_BYTES })) {
    const item = parseLine(line, benchmark.uri, MAX_LINE_BYTES);
    if ('blank' in item) continue;
    const where = `Benchmark ${benchmark.name}, line ${line.line} of ${benchmark.uri}`;
    if ('fault' in item) throw invalidInput(`${where}: ${item.fault} (${JSON.stringify(item.evidence)}).`);
    const columns = benchmark.fields?.question === undefined ? QUESTION : [benchmark.fields.question];
    const question = columns.map((column) => item.record[column]).find((value) => typeof value === 'string');
    if (typeof question !== 'string') {
      throw invalidInput(
        `${where}: no text in ${columns.join(', ')}; name the column in benchmarks[].fields.question.`,
      );
    }
    const id = item.record[benchmark.fields?.id ?? 'id'];
    const named =
      typeof id === 'string' || typeof id === 'number' ? String(id).slice(0, 200) : `line ${line.line}`;
    yield { id: named, question, choices: textsIn(item.record[benchmark.fields?.choices ?? 'choices']) };
  }
}

/** Choices come as texts, as an object of texts, or as `{text: [...]}`. */
function textsIn(value: unknown, depth = 3): string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object' || depth === 0) return [];
  return Object.values(value).flatMap((item) => textsIn(item, depth - 1));
}

async function plainBytes(artifacts: Artifacts, key: string): Promise<AsyncIterable<Uint8Array>> {
  const { body } = await artifacts.get(key);
  return key.endsWith('.gz') ? Readable.from(body).pipe(createGunzip()) : body;
}

/** What the stored index was made from: with the same, it need not be made again. */
interface StoredNames extends BenchmarkNames {
  madeFrom: string;
}

const madeFrom = (config: SynthesisConfig): string =>
  JSON.stringify([
    config.input.decontamination.ngram,
    config.benchmarks.map(({ name, sha256 }) => [name, sha256]),
  ]);

/** Builds and stores the job's index, unless one of the same content is there. */
export async function buildBenchmarkIndex(
  config: SynthesisConfig,
  runtime: Runtime,
  keys: Keys,
): Promise<BenchmarkNames> {
  const stored = await jsonIfAny<StoredNames>(runtime.artifacts, keys.benchmarkNames);
  if (stored?.madeFrom === madeFrom(config)) return stored;
  const builder = new BenchmarkIndexBuilder(config.input.decontamination.ngram);
  for (const benchmark of config.input.benchmarks) {
    await builder.add(benchmark.name, benchmarkItems(benchmark, runtime));
  }
  await runtime.artifacts.put(keys.benchmarks, builder.bytes(), { contentType: 'application/octet-stream' });
  await writeJson(runtime.artifacts, keys.benchmarkNames, { ...builder.names, madeFrom: madeFrom(config) });
  return builder.names;
}

const loaded = new Map<string, Promise<BenchmarkIndex>>();

/** The job's index, remembered while the process lives; undefined where the job names no benchmark. */
export async function loadBenchmarkIndex(
  config: SynthesisConfig,
  artifacts: Artifacts,
  keys: Keys,
): Promise<BenchmarkIndex | undefined> {
  if (config.benchmarks.length === 0) return undefined;
  const name = `${artifacts.bucket}/${config.jobId}/${madeFrom(config)}`;
  let index = loaded.get(name);
  if (!index) {
    index = readIndex(artifacts, keys);
    loaded.set(name, index);
    if (loaded.size > 2) loaded.delete(loaded.keys().next().value!);
    index.catch(() => loaded.delete(name));
  }
  return index;
}

async function readIndex(artifacts: Artifacts, keys: Keys): Promise<BenchmarkIndex> {
  const names = (await readJson(artifacts, keys.benchmarkNames, { maxBytes: 1024 ** 3 })) as StoredNames;
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await artifacts.get(keys.benchmarks)).body) chunks.push(chunk);
  return new BenchmarkIndex(names, Buffer.concat(chunks));
}
