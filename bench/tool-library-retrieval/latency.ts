import { loadavg } from 'node:os';
import { seededRng } from '#shared/determinism/rng.ts';
import { searchIndex, searchTools, type SearchIndex, type SearchRow } from '#shared/library/search.ts';
import type { Encoder } from '#shared/text/encoder.ts';

/** Search over made-up libraries: how long one query takes, its embedding included. */

const TARGETS_MS: Record<number, number> = { 100: 25, 10_000: 40, 100_000: 150 };
const QUERIES = 200;

const QUANTITIES =
  'profit distance area interest age volume speed weight temperature share tax wage cost time'.split(' ');
const SUBJECTS =
  'train garden loan family tank runner parcel oven pizza bakery school farm river market'.split(' ');
const MANNERS = 'total average weekly yearly remaining combined first final hourly daily'.split(' ');

/** Random unit vectors: an exact scan takes the same time whatever they are. */
function madeUp(size: number, dims: number, encoder: Encoder): SearchIndex {
  const rng = seededRng('bench', 'retrieval', size);
  const rows: SearchRow[] = Array.from({ length: size }, (_, place) => {
    const [quantity, subject, manner] = [rng.pick(QUANTITIES), rng.pick(SUBJECTS), rng.pick(MANNERS)];
    return {
      id: `t_${String(place).padStart(6, '0')}`,
      name: `${manner}_${quantity}_of_${subject}_${place}`,
      description: `Computes the ${manner} ${quantity} of a ${subject}, number ${place}.`,
      schema: {
        type: 'object',
        properties: {
          amount: { type: 'number', description: `the ${subject} has _ of it, and some more each day` },
          factor: { type: 'number', description: `how often it is ${manner}, _ times a week` },
        },
      },
      path: [quantity, subject],
      tags: [quantity],
      clusterId: quantity,
      at: [0, 0],
    };
  });
  const matrix = new Float32Array(size * dims);
  for (let row = 0; row < size; row++) {
    let squares = 0;
    for (let i = row * dims; i < (row + 1) * dims; i++) squares += (matrix[i] = rng.next() - 0.5) ** 2;
    const length = Math.sqrt(squares);
    for (let i = row * dims; i < (row + 1) * dims; i++) matrix[i]! /= length;
  }
  return searchIndex(rows, matrix, encoder);
}

export interface Latency {
  tools: number;
  p50: number;
  p99: number;
  /** Milliseconds of CPU a query, all threads. */
  cpu: number;
  /** Of the machine, at the end. */
  load: number;
  target: number;
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;

export async function latency(tools: number, encoder: Encoder): Promise<Latency> {
  const index = madeUp(tools, encoder.dims, encoder);
  const rng = seededRng('bench', 'queries', tools);
  const query = (): string =>
    `what is the ${rng.pick(MANNERS)} ${rng.pick(QUANTITIES)} of the ${rng.pick(SUBJECTS)}`;
  for (let warm = 0; warm < 10; warm++) await searchTools(index, { query: query() }, encoder);
  const took: number[] = [];
  const before = process.cpuUsage();
  for (let n = 0; n < QUERIES; n++) {
    const started = performance.now();
    await searchTools(index, { query: query() }, encoder);
    took.push(performance.now() - started);
  }
  const { user, system } = process.cpuUsage(before);
  took.sort((a, b) => a - b);
  return {
    tools,
    p50: percentile(took, 0.5),
    p99: percentile(took, 0.99),
    cpu: (user + system) / 1000 / QUERIES,
    load: loadavg()[0]!,
    target: TARGETS_MS[tools] ?? 0,
  };
}
