import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openPlatform } from '#local/platform.ts';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { closeSentenceEncoder, sentenceEncoder } from '#shared/text/encoder.ts';
import { latency } from './tool-library-retrieval/latency.ts';
import { build } from './tool-library-retrieval/libraries.ts';
import { generated, readProblems, type Problem } from './tool-library-retrieval/problems.ts';
import { retrieval, type Line } from './tool-library-retrieval/retrieval.ts';

/**
 * How fast and how well libraries are searched (tool-library section 10).
 *
 * `npm run bench -- tool-library-retrieval [--problems F] [--sizes 100,500] [--latency 100,10000,100000]`
 * Without a file the example problems serve; sizes beyond a file's problems are filled up with generated ones, and say so.
 */
export default async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      problems: { type: 'string', default: 'examples/tool-library/problems.jsonl' },
      sizes: { type: 'string' },
      latency: { type: 'string', default: '100,10000,100000' },
    },
  });
  const numbers = (text: string): number[] => text.split(',').filter(Boolean).map(Number);
  const encoder = await sentenceEncoder();

  console.log('Search, embedding of the query included, one at a time:');
  for (const tools of numbers(values.latency)) {
    const { p50, p99, target } = await latency(tools, encoder);
    const met = target === 0 ? '' : ` (target ${target} ms: ${p99 <= target ? 'met' : 'missed'})`;
    console.log(`  ${tools} tools: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms${met}`);
  }

  const all = seededRng('bench', 'split').shuffle(await readProblems(resolve(values.problems)));
  const [held, rest] = [all.slice(0, Math.floor(all.length / 5)), all.slice(Math.floor(all.length / 5))];
  const sizes = values.sizes === undefined ? [rest.length] : numbers(values.sizes);
  const most = Math.max(0, ...sizes);
  const filled: Problem[] = [...rest, ...generated(Math.max(0, most - rest.length))];
  const dataDir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  const platform = await openPlatform({ dataDir });
  try {
    const heldBack =
      held.length === 0 || sizes.length === 0 ? undefined : await build(platform, 'held-back', held);
    console.log(
      `\nRetrieval, numbers masked; ${held.length} problems held back (${heldBack?.tools.length ?? 0} with tools):`,
    );
    console.log(
      '  problems | library     tools | queries    relevance   n | recall@1 @5 @10   | found@1 @5 @10    | MRR',
    );
    for (const size of sizes) {
      const made = await build(platform, `problems-${size}`, filled.slice(0, size));
      const note = size > rest.length ? ` (${size - rest.length} generated)` : '';
      for (const line of await retrieval(made, heldBack, encoder))
        console.log(`  ${size}${note} ${text(line)}`);
    }
  } finally {
    await platform.close();
    await closeAnalyser();
    await closeSentenceEncoder();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const text = ({ library, tools, queries, relevance, scores }: Line): string => {
  const { recall, found, mrr, questions } = scores;
  const shares = ({ at1, at5, at10 }: typeof recall): string =>
    [at1, at5, at10].map((share) => share.toFixed(3)).join(' ');
  return `| ${library.padEnd(10)} ${String(tools).padStart(6)} | ${queries.padEnd(9)} ${relevance.padEnd(10)} ${String(questions).padStart(4)} | ${shares(recall)} | ${shares(found)} | ${mrr.toFixed(3)}`;
};
