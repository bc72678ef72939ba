import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureAccuracy, shares, type AccuracyQuestion } from './deep-research/accuracy.ts';

/** Floors and expectations of specification deep-research, section 9, in per cent. */
const TARGETS: Record<string, { floor: number; expected: number }> = {
  'one-hop': { floor: 70, expected: 90 },
  'two-hop': { floor: 40, expected: 65 },
};

const PARAPHRASES = join(import.meta.dirname, 'data/factbook-paraphrases.jsonl');

/**
 * `npm run bench -- deep-research-accuracy [corpus.jsonl] [--lexical] [--once] [--wrong] [--indexes=FOLDER]`: 200 one-hop
 * and 200 two-hop questions that are synthesised from country profiles, and 40 written by hand, answered without a
 * model; twice, on platforms of their own, to show that both runs agree. The second finds the index of the first.
 * `--wrong` prints what was answered wrongly; `--indexes` keeps the index for the next time, too.
 */
export default async function main(args: string[]): Promise<void> {
  const paths = args.filter((arg) => !arg.startsWith('--'));
  const corpus = paths[0] ?? join(import.meta.dirname, '../../shared/data/factbook/documents.jsonl');
  if (!existsSync(corpus)) {
    console.log(`skipped: there is no ${corpus}; give a JSON Lines file of country profiles as argument.`);
    return;
  }
  const given = args.find((arg) => arg.startsWith('--indexes='))?.slice('--indexes='.length);
  const indexes = given ?? mkdtempSync(join(tmpdir(), 'agentmill-indexes-'));
  try {
    await compare({ corpus, indexes }, args);
  } finally {
    if (given === undefined) rmSync(indexes, { recursive: true });
  }
}

async function compare(where: { corpus: string; indexes: string }, args: string[]): Promise<void> {
  const more = readFileSync(PARAPHRASES, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): AccuracyQuestion => ({
      group: 'hand-written',
      ...(JSON.parse(line) as { text: string; gold: string }),
    }));
  const request = {
    ...where,
    entityNoun: 'country',
    seed: 1,
    oneHop: 200,
    twoHop: 200,
    more,
    index: args.includes('--lexical') ? ('lexical' as const) : ('auto' as const),
  };
  const first = await measureAccuracy(request);

  const percent = ({ right, of }: { right: number; of: number }): number => (100 * right) / Math.max(1, of);
  const isHop = (group: string): string => group.replace(/,.*/, '');
  for (const share of [
    ...shares(first.answered),
    ...shares(first.answered, isHop).filter(({ group }) => group === 'two-hop'),
  ]) {
    const target = TARGETS[share.group];
    const floor = target
      ? `  floor ${target.floor} %, expected ${target.expected} %: ${percent(share) >= target.floor ? 'met' : 'MISSED'}`
      : '';
    console.log(
      `${share.group.padEnd(20)} ${String(share.right).padStart(3)} of ${String(share.of).padStart(3)}  ${percent(share).toFixed(1).padStart(5)} %${floor}`,
    );
    if (target && percent(share) < target.floor) process.exitCode = 1;
  }
  const citations = first.answered.flatMap((row) => row.citations);
  const verified = citations.filter(({ status }) => status === 'verified').length;
  console.log(`citations            ${verified} of ${citations.length} verified against the stored page`);
  if (verified < citations.length) process.exitCode = 1;
  const { indexing } = first;
  console.log(
    `the index            ${indexing.index}, ${indexing.documents} documents, ${indexing.passages} passages in ${indexing.seconds.toFixed(1)} s (${indexing.cpuSeconds.toFixed(1)} s of CPU)`,
  );
  const steps = first.answered.reduce((sum, row) => sum + row.steps, 0);
  console.log(`one job              ${steps} steps in ${first.seconds.toFixed(1)} s`);
  if (args.includes('--wrong')) {
    for (const { url, quote, status } of citations)
      if (status !== 'verified') console.log(status, url, quote);
    for (const { group, text, gold, answer, status, steps: n, right } of first.answered) {
      if (!right)
        console.log(`[${group}] ${text}\n    gold ${gold}\n    got  ${answer ?? status} (${n} steps)`);
    }
  }
  if (args.includes('--once')) return;
  const second = await measureAccuracy(request);
  const same = second.answersHash === first.answersHash;
  console.log(`a second run         ${same ? 'agrees byte for byte' : 'DIFFERS'}`);
  if (!same) process.exitCode = 1;
}
