import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPlatform, type Platform } from '#local/platform.ts';
import { newJobId } from '#shared/determinism/ids.ts';
import { seededRng, type Rng } from '#shared/determinism/rng.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';

/**
 * What orchestration costs on AWS: a dataset-synthesis job on the embedded platform, counted, times list prices.
 * `npm run bench -- cost [documents] [--seed text]`. Models are builtin: their price is not part of it.
 */

/** List prices in dollars, us-east-1, on-demand, as of PRICES_AS_OF; no free tier, no discounts. */
export const PRICES_AS_OF = '2025-01-01';
export const PRICES = {
  /** Step Functions Standard, one state transition. */
  transition: 25 / 1e6,
  /** Lambda, one request. */
  request: 0.2 / 1e6,
  /** Lambda on arm64, one GB-second. */
  gbSecond: 0.0000133334,
  /** S3 Standard, one PUT, COPY or LIST. */
  put: 0.005 / 1e3,
  /** S3 Standard, one GET or HEAD. */
  get: 0.0004 / 1e3,
  /** DynamoDB on-demand, one write unit (1 KB). */
  write: 0.625 / 1e6,
  /** DynamoDB on-demand, one strongly consistent read unit (4 KB). */
  read: 0.125 / 1e6,
} as const;
type Unit = keyof typeof PRICES;
export type Counts = Record<Unit, number>;

/** `sum of count x price`, in dollars. */
export const dollars = (counts: Counts): number =>
  (Object.keys(PRICES) as Unit[]).reduce((sum, unit) => sum + counts[unit] * PRICES[unit], 0);

const NAMES: Record<Unit, string> = {
  transition: 'state transitions',
  request: 'task invocations',
  gbSecond: 'Lambda GB-seconds',
  put: 'S3 puts, copies, lists',
  get: 'S3 gets, heads',
  write: 'DynamoDB write units',
  read: 'DynamoDB read units',
};

const STARTS = [
  'Al',
  'Bor',
  'Cas',
  'Dun',
  'El',
  'Fen',
  'Gar',
  'Hes',
  'Ist',
  'Kel',
  'Lor',
  'Mar',
  'Nor',
  'Ost',
  'Per',
  'Ros',
];
const MIDDLES = ['ber', 'den', 'fal', 'gar', 'hol', 'kin', 'lan', 'mer', 'nor', 'ster'];
const ENDS = ['bridge', 'bury', 'combe', 'dale', 'ford', 'ham', 'mouth', 'stead', 'ton', 'wick'];
const FIRST = ['Ada', 'Jonas', 'Ines', 'Thomas', 'Miriam', 'Paul', 'Clara', 'Henry'];
const LAST = ['Marlow', 'Reik', 'Calder', 'Hale', 'Oakes', 'Strand', 'Weston', 'Lind'];
const GOODS = ['wool', 'salt', 'copper', 'timber', 'paper', 'glass'];

/** A document of plain facts about a place that does not exist; equal seeds give equal documents. */
export function document(seed: string, index: number): { id: string; title: string; text: string } {
  const rng: Rng = seededRng(seed, 'cost', index);
  const year = (from: number): number => from + rng.below(90);
  const person = (): string => `${rng.pick(FIRST)} ${rng.pick(LAST)}`;
  // Every name once in 1,600 documents.
  const town = `${STARTS[index % 16]}${MIDDLES[Math.floor(index / 16) % 10]}${ENDS[Math.floor(index / 160) % 10]}`;
  const river = `River ${rng.pick(STARTS)}${rng.pick(MIDDLES)}`;
  const text = [
    `${town} is a town on the ${river}.`,
    `${person()} founded it in ${year(1100)}.`,
    `The town hall of ${town} was designed by ${person()} and built in ${year(1600)}.`,
    `The ${town} Bridge was designed by ${person()} and was opened in ${year(1750)}.`,
    `The ${town} Railway was opened in ${year(1840)}.`,
    `The Museum of ${town} was founded by ${person()} in ${year(1880)} and shows tools of the ${rng.pick(GOODS)} trade.`,
  ];
  return { id: `place-${index}`, title: town, text: text.join(' ') };
}

const kibibytes = (value: unknown): number =>
  Math.max(1, Math.ceil(JSON.stringify(value ?? null).length / 1024));

/** Replaces a method of an object by one that tells `seen` of each answer. */
function observe(
  target: object,
  method: string,
  seen: (answer: unknown, ms: number, args: unknown[]) => void,
): void {
  const object = target as Record<string, (...args: unknown[]) => unknown>;
  const original = object[method]!.bind(target);
  object[method] = async (...args: unknown[]) => {
    const began = performance.now();
    const answer = await original(...args);
    seen(answer, performance.now() - began, args);
    return answer;
  };
}

/** Counts what AWS would bill of all that passes the platform's ports. */
function count(platform: Platform): Counts {
  const counts: Counts = { transition: 0, request: 0, gbSecond: 0, put: 0, get: 0, write: 0, read: 0 };
  const { artifacts, records } = platform.runtime;
  for (const method of ['put', 'copy', 'list']) observe(artifacts, method, () => (counts.put += 1));
  for (const method of ['get', 'head']) observe(artifacts, method, () => (counts.get += 1));
  // An item is written once more into each index that holds it.
  const written = (item: unknown): void => {
    const { g1, g2 } = item as { g1?: unknown; g2?: unknown };
    counts.write += kibibytes(item) * (1 + (g1 ? 1 : 0) + (g2 ? 1 : 0));
  };
  for (const method of ['put', 'update']) observe(records, method, written);
  observe(records, 'delete', () => (counts.write += 1));
  observe(records, 'batchPut', (_answer, _ms, [items]) => (items as unknown[]).forEach(written));
  // One commit here, single puts on AWS; refused ones are billed too.
  observe(records, 'putEach', (answer) => {
    for (const outcome of answer as PromiseSettledResult<unknown>[]) {
      if (outcome.status === 'fulfilled') written(outcome.value);
      else counts.write += 1;
    }
  });
  const read = (answer: unknown): void => {
    counts.read += Math.ceil(kibibytes(answer) / 4);
  };
  observe(records, 'get', read);
  observe(records, 'query', read);
  observe(records, 'batchGet', (answer) => (answer as unknown[]).forEach(read));
  const memory = new Map(
    platform.catalog.flatMap((entry) =>
      Object.entries(entry.tasks).map(([task, spec]) => [`agentmill-${entry.name}-${task}`, spec.memoryMb]),
    ),
  );
  observe(platform.host, 'invoke', (_answer, ms, [name]) => {
    counts.gbSecond += (ms / 1000) * ((memory.get(name as string) ?? 512) / 1024);
  });
  return counts;
}

/** A model server that answers at once, on loopback. */
async function answering(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json');
      const message = { role: 'assistant', content: 'yes' };
      const usage = { prompt_tokens: 300, completion_tokens: 1, total_tokens: 301 };
      response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }], usage }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, close: () => server.close() };
}

/** What a call of a model behind a network adds: cache, ledger, budget, limits. Counted on one batch of `calls`. */
async function perCall(calls: number): Promise<Counts> {
  const dataDir = await mkdtemp(join(tmpdir(), 'agentmill-cost-'));
  const server = await answering();
  const models = join(dataDir, 'models.json');
  const model = {
    name: 'priced',
    provider: 'openai',
    endpoint: { url: server.url, auth: { type: 'none' } },
    served: 'any',
    contextTokens: 8192,
    maxOutputTokens: 64,
    billing: 'token',
    price: [{ from: '2025-01-01', inputPerMTok: 1, outputPerMTok: 1 }],
    limits: { rpm: 6e6, tpm: 6e9, concurrency: 32 },
  };
  await writeFile(models, JSON.stringify({ models: [{ name: 'builtin', provider: 'builtin' }, model] }));
  const platform = await openPlatform({ dataDir, env: { AGENTMILL_MODELS: models } });
  try {
    const jobId = newJobId('dataset-synthesis', platform.runtime.ids);
    const { artifacts } = platform.runtime;
    const requests = await writeJsonl(
      artifacts,
      `jobs/${jobId}/requests.jsonl`,
      Array.from({ length: calls }, (_, index) => ({
        id: `r${index}`,
        role: { name: 'dataset-synthesis/filter', version: '1' },
        model: 'priced',
        messages: [{ role: 'user', content: `${document('calls', index).text} Is this a document?` }],
      })),
    );
    const counts = count(platform);
    await platform.host.invoke(
      'agentmill-dataset-synthesis-infer',
      { jobId, stage: 'cost', requests, prefix: `jobs/${jobId}/infer` } as unknown as Json,
      { signal: new AbortController().signal },
    );
    return counts;
  } finally {
    await platform.close();
    server.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function print(counts: Counts, of: number, each: string, price: string): void {
  const row = (name: string, ...cells: string[]): void =>
    console.log(`${name.padEnd(26)}${cells.map((cell) => cell.padStart(16)).join('')}`);
  const text = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 2 });
  row('', 'counted', each, price);
  for (const unit of (Object.keys(PRICES) as Unit[]).filter((unit) => counts[unit] > 0)) {
    const one = counts[unit] / of;
    row(NAMES[unit], text(counts[unit]), text(one), text(one * 1e6 * PRICES[unit]));
  }
  row('sum', '', '', text((dollars(counts) / of) * 1e6));
}

export default async function run(args: string[]): Promise<void> {
  const documents = Number(args.find((arg) => /^\d+$/.test(arg)) ?? 1000);
  const seed = args.includes('--seed') ? args[args.indexOf('--seed') + 1]! : 'agentmill';
  const dataDir = await mkdtemp(join(tmpdir(), 'agentmill-cost-'));
  const platform = await openPlatform({ dataDir });
  try {
    const key = 'uploads/local/cost/documents.jsonl';
    const lines = Array.from({ length: documents }, (_, index) => JSON.stringify(document(seed, index)));
    await platform.runtime.artifacts.put(key, `${lines.join('\n')}\n`);
    const counts = count(platform);
    const before = { transitions: platform.engine.transitions(), calls: platform.host.stats().invocations };
    const began = performance.now();
    const job = await platform.run('dataset-synthesis', {
      sources: [{ uri: key, defaults: { licence: 'CC0-1.0' } }],
    } as Json);
    const seconds = (performance.now() - began) / 1000;
    // A Distributed Map is charged a transition for each child it starts, beside the transitions of the child.
    const children = platform.engine
      .listMapRuns(job.executionId!)
      .reduce((sum, { executions }) => sum + Object.values(executions).reduce((all, some) => all + some), 0);
    counts.transition = platform.engine.transitions() - before.transitions + children;
    counts.request = platform.host.stats().invocations - before.calls;
    console.log(`${children} of the transitions are the starts of children of Distributed Maps.`);
    console.log(`${documents} documents, seed "${seed}": ${job.status} in ${seconds.toFixed(0)} s`);
    console.log(`yields ${JSON.stringify(job.yields)}`);
    if (job.status === 'FAILED') throw new Error(job.error?.detail ?? 'The job failed.');
    print(counts, documents, 'a document', '$ a million');
    const calls = 1000;
    console.log(
      `\nEach call of a model behind a network adds (counted on one batch of ${calls}, without its time):`,
    );
    print({ ...(await perCall(calls)), gbSecond: 0 }, calls, 'a call', '$ a million');
    console.log(`List prices of us-east-1 as of ${PRICES_AS_OF}. GB-seconds are of this machine.`);
  } finally {
    await platform.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}
