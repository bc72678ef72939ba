import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openPlatform } from '#local/platform.ts';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import type { AtRanks } from '#shared/library/evaluation.ts';
import { closeSentenceEncoder, sentenceEncoder, type Encoder } from '#shared/text/encoder.ts';
import { costOf, type Cost } from './tool-library/usage.ts';
import { latency } from './tool-library-retrieval/latency.ts';
import { build, type Built } from './tool-library-retrieval/libraries.ts';
import { readProblems, setsOf } from './tool-library-retrieval/problems.ts';
import { remembering, retrieval, type Line, type Queries } from './tool-library-retrieval/retrieval.ts';

/**
 * How fast and how well libraries are searched (tool-library section 10).
 *
 * `npm run bench -- tool-library-retrieval [--problems F] [--sizes 100,500,…] [--latency 100,10000,100000]`
 * Without a file the example problems serve; sizes beyond four fifths of a file's problems are filled up with generated
 * ones, and say so. `--sizes ''` measures latency alone, `--latency ''` retrieval alone.
 */
export default async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      problems: { type: 'string', default: 'examples/tool-library/problems.jsonl' },
      sizes: { type: 'string', default: '100,500,1000,5000,10000' },
      latency: { type: 'string', default: '100,10000,100000' },
    },
  });
  const numbers = (text: string): number[] => text.split(',').filter(Boolean).map(Number);
  const encoder = await sentenceEncoder();
  try {
    await latencies(numbers(values.latency), encoder);
    const sizes = numbers(values.sizes).sort((a, b) => a - b);
    if (sizes.length > 0) await scaling(resolve(values.problems), sizes, encoder);
  } finally {
    await Promise.all([closeSandboxes(), closeAnalyser(), closeSentenceEncoder()]);
  }
}

async function latencies(libraries: readonly number[], encoder: Encoder): Promise<void> {
  if (libraries.length > 0) console.log('Search, embedding of the query included, one at a time:');
  for (const tools of libraries) {
    const { p50, p99, cpu, load, target } = await latency(tools, encoder);
    const met = target === 0 ? '' : ` (target ${target} ms: ${p99 <= target ? 'met' : 'missed'})`;
    console.log(
      `  search p99, ${tools} tools: ${p99.toFixed(1)} ms${met}; p50 ${p50.toFixed(1)} ms, CPU ${cpu.toFixed(1)} ms a query, load ${load.toFixed(1)}`,
    );
  }
}

/** Libraries of nested sets of problems, each searched as it is, behind its clusters, and before refactoring. */
async function scaling(file: string, sizes: readonly number[], encoder: Encoder): Promise<void> {
  const { held, nested, fromFile, heldGenerated } = setsOf(await readProblems(file), sizes.at(-1)!);
  const dataDir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  const platform = await openPlatform({ dataDir });
  try {
    const others = new Map<Queries, Built>();
    if (held.length > 0) others.set('held back', await build(platform, 'held-back', held));
    if (heldGenerated.length > 0) {
      const made = await build(platform, 'held-back-generated', heldGenerated);
      others.set('held back, generated', made);
    }
    console.log('\nRetrieval, numbers masked:');
    for (const [queries, { tools }] of others) console.log(`  ${queries}: ${tools.length} tools`);
    console.log(HEADER);
    const remembered = remembering(encoder);
    for (const size of sizes) {
      const made = await build(platform, `problems-${size}`, nested.slice(0, size));
      // Questions from our templates say something only of libraries that have such problems.
      const asked = new Map([...others].filter(([queries]) => queries === 'held back' || size > fromFile));
      const { result: lines, cost } = await costOf(() => retrieval(made, asked, remembered));
      const note = size > fromFile ? ` (${size - fromFile} generated)` : '';
      for (const line of lines) console.log(`| ${size}${note} ${text(line)}`);
      console.log(`<!-- ${size}: built in ${spent(made.cost)}; asked in ${spent(cost)} -->`);
    }
  } finally {
    await platform.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const spent = ({ wallSeconds, cpuSeconds, peakMb, load }: Cost): string =>
  `${wallSeconds.toFixed(0)} s, ${cpuSeconds.toFixed(0)} CPU s, ${peakMb.toFixed(0)} MB, load ${load.toFixed(1)}`;

const HEADER = `| problems | library | tools | queries | relevance | n | relevant tools: mean, most | recall@1, 5, 10 | most possible | found@1, 5, 10 | by chance | MRR |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |`;

const text = ({ library, tools, queries, relevance, scores }: Line): string => {
  const { recall, bound, found, chance, relevant, mrr, questions } = scores;
  const shares = ({ at1, at5, at10 }: AtRanks): string =>
    [at1, at5, at10].map((share) => share.toFixed(2)).join(' ');
  return `| ${library} | ${tools} | ${queries} | ${relevance} | ${questions} | ${relevant.mean.toFixed(1)}, ${relevant.most} | ${shares(recall)} | ${shares(bound)} | ${shares(found)} | ${shares(chance)} | ${mrr.toFixed(3)} |`;
};
