import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCall } from '#functions/tool-library/analysis/calls.ts';
import { extractTool } from '#functions/tool-library/builtin/extract.ts';
import { toolId } from '#functions/tool-library/ids.ts';
import { closeAnalyser, parseTools } from '#functions/tool-library/python/analyser.ts';
import type { SourceTool } from '#functions/tool-library/refactor/forms.ts';
import { normalise } from '#functions/tool-library/refactor/normalise.ts';
import { refactor } from '#functions/tool-library/refactor/refactor.ts';
import { skeletonOf } from '#functions/tool-library/refactor/skeleton.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import { openPlatform } from '#local/platform.ts';
import { seededRng, type Rng } from '#shared/determinism/rng.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import { closeSentenceEncoder } from '#shared/text/encoder.ts';
import { averageLinkage } from '#shared/text/clustering.ts';
import { costOf, medianCost, type Cost } from './tool-library/usage.ts';

/**
 * Benchmarks of tool-library section 12: `npm run bench -- tool-library [generated|gsm8k|normalise|anti-unify|seed-cluster]
 * [--file gsm8k.jsonl]`. Small ones are the median of five runs. CPU time stands beside wall-clock: on a machine that is
 * busy otherwise only the former means much.
 */

interface Row {
  benchmark: string;
  measured: string;
  wall: string;
  cpu: string;
  memory: string;
  load: string;
  target: string;
}

const RUNS = 5;

const row = (benchmark: string, target: string, measured: string, cost: Cost): Row => ({
  benchmark,
  measured,
  wall: `${cost.wallSeconds.toFixed(2)} s`,
  cpu: `${cost.cpuSeconds.toFixed(2)} s`,
  memory: `${Math.round(cost.peakMb)} MB`,
  load: cost.load.toFixed(1),
  target,
});

const GOODS = [
  'muffins',
  'pencils',
  'candles',
  'tickets',
  'lemons',
  'ribbons',
  'bricks',
  'posters',
  'jars',
  'kites',
];
const SELLERS = ['stall', 'shop', 'club', 'farm', 'school', 'bakery', 'kiosk', 'market'];
const COSTS = ['rent', 'fees', 'wages', 'postage', 'tax'];

/** A solved problem with annotated steps, of one of five kinds. */
function problem(rng: Rng, n: number): { question: string; reasoning: string; answer: string } {
  const [good, seller, cost] = [rng.pick(GOODS), rng.pick(SELLERS), rng.pick(COSTS)];
  const [a, b, c] = [20 + rng.below(80), 3 + rng.below(9), 5 + rng.below(14)];
  const step = (text: string, value: number): string => `${text} = <<${text}=${value}>>${value}`;
  switch (n % 5) {
    case 0:
      return {
        question: `A ${seller} sells ${a} ${good} at $${b} each and pays $${c} ${cost}. How much profit does it make?`,
        reasoning: `Sales are ${step(`${a}*${b}`, a * b)} dollars. Profit is ${step(`${a * b}-${c}`, a * b - c)} dollars.`,
        answer: String(a * b - c),
      };
    case 1:
      return {
        question: `A ${seller} has ${a} ${good} on Monday and gets ${c} more ${good} each day for ${b} days. How many ${good} does it have then?`,
        reasoning: `It gets ${step(`${c}*${b}`, c * b)} ${good}. It has ${step(`${a}+${c * b}`, a + c * b)} ${good}.`,
        answer: String(a + c * b),
      };
    case 2:
      return {
        question: `${a * b} ${good} are packed into ${b} boxes of the ${seller}, and ${c} boxes are sold. How many ${good} are sold?`,
        reasoning: `A box holds ${step(`${a * b}/${b}`, a)} ${good}. Sold are ${step(`${a}*${c}`, a * c)} ${good}.`,
        answer: String(a * c),
      };
    case 3:
      return {
        question: `A ${seller} bought ${good} for $${10 * a} and sells them at a gain of ${5 * b} percent. How much money does it get?`,
        reasoning: `The gain is ${step(`${10 * a}*${5 * b}/100`, (a * b) / 2)} dollars. It gets ${step(`${10 * a}+${(a * b) / 2}`, 10 * a + (a * b) / 2)} dollars.`,
        answer: String(10 * a + (a * b) / 2),
      };
    default:
      return {
        question: `A ${seller} sold ${a} ${good} in spring, half as many in summer and ${c} in autumn. How many ${good} were sold?`,
        reasoning: `In summer ${step(`${2 * a}/2/2`, a / 2)}. In all ${step(`${a}+${a / 2}+${c}`, 1.5 * a + c)} ${good}.`,
        answer: String(1.5 * a + c),
      };
  }
}

export const problems = (count: number): ReturnType<typeof problem>[] => {
  const rng = seededRng('bench', 'tool-library');
  return Array.from({ length: count }, (_, n) => problem(rng, n));
};

async function sources(count: number): Promise<SourceTool[]> {
  const made = problems(count * 2).flatMap((each) => {
    const extracted = extractTool(each);
    return extracted.ok ? [extracted.tool] : [];
  });
  const tools = made.slice(0, count);
  const codes = await parseTools(tools.map(({ code }) => code));
  const calls = await parseTools(tools.map(({ call }) => call));
  return tools.map((_, n) => {
    const [code, call] = [codes[n]!, calls[n]!];
    if (!code.ok || !call.ok) throw new Error('A generated tool does not parse.');
    const shape = readCall(code.ast, call.ast);
    if (typeof shape === 'string') throw new Error(shape);
    const id = toolId(`${code.code}${n}`, shape.entry);
    return {
      id,
      name: shape.entry,
      entry: shape.entry,
      description: '',
      ast: code.ast,
      cases: [{ id: `c_${n}`, shape }],
    };
  });
}

async function normalising(): Promise<Row> {
  const tools = await sources(2000);
  const { cost } = await medianCost(RUNS, () => {
    for (const tool of tools) skeletonOf(normalise(tool));
  });
  const rate = (seconds: number): string => Math.round(tools.length / seconds).toLocaleString('en');
  const measured = `${rate(cost.wallSeconds)} a second (${rate(cost.cpuSeconds)} a CPU second)`;
  return row('normalise and hash 2,000 tools', '2,000 a second', measured, cost);
}

async function antiUnifying(): Promise<Row> {
  const tools = await sources(300);
  const { result, cost } = await medianCost(RUNS, () => refactor(tools, { widen: true, helpers: true }));
  return row('anti-unify 300 tools', '1 s', `${result.functions.length} functions`, cost);
}

async function seedClustering(): Promise<Row> {
  const rng = seededRng('bench', 'seed-cluster');
  const vectors = Array.from({ length: 1000 }, () => {
    const vector = Float32Array.from({ length: 512 }, () => rng.next() - 0.5);
    const length = Math.hypot(...vector);
    return vector.map((value) => value / length);
  });
  const { result, cost } = await medianCost(RUNS, () => averageLinkage(vectors));
  return row('seed-cluster 1,000 vectors', '1 s', `${result.length} merges`, cost);
}

/** A whole job on a platform of its own. */
async function endToEnd(name: string, file: string, target: string): Promise<Row> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  try {
    const { result, cost } = await costOf(async () => {
      const platform = await openPlatform({ dataDir: dir });
      try {
        await platform.runtime.artifacts.put('in/rows.jsonl', createReadStream(file));
        const job = await platform.run('tool-library', { source: 'in/rows.jsonl', libraryId: 'bench' });
        const report = (await readJson(
          platform.runtime.artifacts,
          `jobs/${job.jobId}/output/report.json`,
        )) as {
          compression: number;
          losslessness: { coverage: number };
        };
        const { problems: read, admitted, rejected, aggregated, kept } = job.yields;
        return `${read} problems, ${admitted} admitted, ${rejected} rejected, ${aggregated} aggregated, ${kept} kept, compression ${report.compression}, coverage ${report.losslessness.coverage}`;
      } finally {
        await platform.close();
        await Promise.all([closeSandboxes(), closeAnalyser(), closeSentenceEncoder()]);
      }
    });
    return row(name, target, result, cost);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function generated(): Promise<Row> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  try {
    const file = join(dir, 'problems.jsonl');
    await writeFile(
      file,
      problems(1000)
        .map((each) => `${JSON.stringify(each)}\n`)
        .join(''),
    );
    return await endToEnd('1,000 generated problems, end to end', file, '180 s, 1,500 MB');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export default async function main(args: string[]): Promise<void> {
  const fileAt = args.indexOf('--file');
  const file = fileAt < 0 ? undefined : args[fileAt + 1];
  const names = args.filter((arg, n) => !arg.startsWith('--') && (fileAt < 0 || n !== fileAt + 1));
  const wanted = (name: string): boolean => names.length === 0 || names.includes(name);
  const rows: Row[] = [];
  if (wanted('normalise')) rows.push(await normalising());
  if (wanted('anti-unify')) rows.push(await antiUnifying());
  if (wanted('seed-cluster')) rows.push(await seedClustering());
  if (wanted('generated')) rows.push(await generated());
  if (wanted('gsm8k') && file !== undefined) {
    if (!existsSync(file)) throw new Error(`--file ${file}: there is no such file.`);
    rows.push(await endToEnd('GSM8K problems, end to end', file, '300 s, 1,500 MB, 55 % admitted'));
  }
  await Promise.all([closeSandboxes(), closeAnalyser()]);
  console.table(rows);
}
