import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  measureAccuracy,
  shares,
  type Accuracy,
  type AccuracyRequest,
} from '../../bench/deep-research/accuracy.ts';

/** The floors of the agent without a model, on samples; `npm run bench -- deep-research-accuracy` measures the whole. */

const ROOT = join(import.meta.dirname, '../..');
const FACTBOOK = join(ROOT, '../shared/data/factbook/documents.jsonl');

function expectFloors({ answered }: Accuracy): void {
  const byHops = shares(answered, (group) => group.replace(/,.*/, ''));
  for (const { group, right, of } of byHops) {
    const floor = group === 'one-hop' ? 0.7 : 0.4;
    expect([group, right / of >= floor, `${right} of ${of}`]).toEqual([group, true, `${right} of ${of}`]);
  }
  const citations = answered.flatMap((row) => row.citations);
  expect(citations.length).toBeGreaterThan(0);
  expect(citations.filter(({ status }) => status !== 'verified')).toEqual([]);
}

const example: AccuracyRequest = {
  corpus: join(ROOT, 'examples/deep-research/corpus.jsonl'),
  entityNoun: 'body',
  seed: 1,
  oneHop: 15,
  twoHop: 20,
  index: 'lexical',
};

describe('accuracy without a model', () => {
  it('[deep-research 28] on the example corpus: above the floors, every citation verified, two runs agree', async () => {
    const first = await measureAccuracy(example);
    expectFloors(first);
    expect((await measureAccuracy(example)).answersHash).toBe(first.answersHash);
  }, 120_000);

  it.skipIf(!existsSync(FACTBOOK))(
    '[deep-research 28] on country profiles: above the floors, every citation verified',
    async () => {
      expectFloors(
        await measureAccuracy({
          ...example,
          corpus: FACTBOOK,
          entityNoun: 'country',
          oneHop: 20,
          twoHop: 20,
        }),
      );
    },
    120_000,
  );
});
