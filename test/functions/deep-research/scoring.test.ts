import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gradeReport } from '#functions/deep-research/builtin/grade-report.ts';
import { verifyAnswer } from '#functions/deep-research/builtin/verify-answer.ts';
import type { ResearchConfig } from '#functions/deep-research/config.ts';
import type { Run } from '#functions/deep-research/records.ts';
import { categoryScores } from '#functions/deep-research/rewards/reports.ts';
import { codeOf } from '#functions/deep-research/scoring/code.ts';
import { matches } from '#functions/deep-research/scoring/match.ts';
import { orderFault, shuffledReports } from '#functions/deep-research/scoring/ranking.ts';
import {
  firstRound,
  newWork,
  rankRound,
  rewardsOf,
  secondRound,
  type ScoreScope,
} from '#functions/deep-research/scoring/score.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { verifyCitations } from '#shared/research/citations/verify.ts';
import type { Question, Report } from '#shared/research/types.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

let world: TestRuntime;
beforeEach(async () => {
  world = await embeddedRuntime();
});
afterEach(() => world.close());

const question = (patch: Partial<Question>): Question => ({
  id: 'q-1',
  kind: 'short',
  text: 'What is it?',
  evidence: [],
  split: 'train',
  ...patch,
});

const run = (runId: string, answer: Partial<Report> | undefined, patch: Partial<Run> = {}): Run => ({
  runId,
  questionId: 'q-1',
  g: 0,
  groupId: 'g-1',
  family: 'single_turn',
  model: 'm',
  limits: {} as Run['limits'],
  status: 'answered',
  ...(answer ? { answer: { markdown: '', partial: false, citations: [], ...answer } } : {}),
  steered: false,
  usage: {
    steps: 3,
    modelCalls: 3,
    toolCalls: 2,
    searches: 1,
    promptTokens: 1,
    outputTokens: 1,
    ms: 1,
    microUsd: 0,
    malformed: 0,
  },
  ...patch,
});

const scopeOf = (asked: Question, runs: Run[]): ScoreScope => ({
  config: { input: { seed: 1 }, judgeModel: 'judge' } as unknown as ResearchConfig,
  runtime: world.runtime,
  signal: new AbortController().signal,
  groups: [
    {
      line: { groupId: 'g-1', questionId: asked.id, runs: runs.map(({ runId }) => runId) },
      runs: runs.map((each) => ({ run: each, question: asked })),
    },
  ],
});

const result = (
  request: InferRequest,
  output: unknown,
  status: InferResult['status'] = 'ok',
): InferResult => ({
  id: request.id,
  status,
  finish: 'stop',
  text: '',
  output,
  repairs: [],
  role: request.role,
  model: 'judge',
  provider: 'openai',
  tokens: { input: 1, output: 1 },
  cacheKey: 'c',
});
const answers = (requests: InferRequest[], output: (request: InferRequest) => unknown) =>
  new Map(requests.map((request) => [request.id, result(request, output(request))]));

const citation = { n: 1, url: 'corpus://a', quote: 'q', status: 'verified' as const };

describe('short answers', () => {
  it.each([
    ['Paris', 'Paris', true],
    ['Paris', 'The answer is **Paris**. [1]', true],
    ['Paris', 'paris [1]', true],
    ['Paris', 'Paris (uncertain)', true],
    ['Paris', 'Paris or Lyon', false],
    ['Côte d’Azur', "the cote d'azur", true],
    ['28,748 sq km', '28748 sq km', true],
    ['1,447 m', '1447 metres', true],
    ['-5', '5', false],
  ])('%j against %j: %j', (gold, answer, equal) => {
    expect(matches(answer, { gold })).toBe(equal);
  });

  it('takes aliases, and by rules numbers within a thousandth', () => {
    expect(matches('Rome', { gold: 'Roma', aliases: ['Rome'] })).toBe(true);
    const input = { question: 'q', gold: '1,000 km', aliases: [], answer: '1,000.9 km' };
    expect(verifyAnswer(input).correct).toBe(true);
    expect(verifyAnswer({ ...input, answer: '1,002 km' }).correct).toBe(false);
  });

  it('asks the judge only where comparison finds them unequal, and its word decides', async () => {
    const asked = question({ gold: 'Paris' });
    const runs = [
      run('r-1', { short: 'Paris' }),
      run('r-2', { short: 'the French capital' }),
      run('r-3', { short: 'Lyon' }),
    ];
    const scope = scopeOf(asked, [...runs, run('r-4', { short: 'Paris' }, { status: 'forced' })]);
    const work = newWork();
    const requests = await firstRound(scope, work);
    expect(requests.map(({ id }) => id)).toEqual(['r-2:verify-answer', 'r-3:verify-answer']);
    const left = await secondRound(
      scope,
      work,
      answers(requests, ({ id }) => ({ correct: id.startsWith('r-2'), extracted: 'x', reason: '' })),
    );
    expect(left).toEqual([]);
    expect(
      rewardsOf(scope, work).map(({ runId, total, verifier }) => [runId, total, verifier.model]),
    ).toEqual([
      ['r-1', 1, 'comparison'],
      ['r-2', 1, 'judge'],
      ['r-3', 0, 'judge'],
    ]);
  });

  it('falls back on rules where inference was stopped, and leaves unscored what the judge could not read', async () => {
    const scope = scopeOf(question({ gold: '1,000 km' }), [
      run('r-1', { short: '1,000.9 km' }),
      run('r-2', { short: '5' }),
    ]);
    const stopped = { ...newWork(), stopped: false };
    const requests = await firstRound(scope, stopped);
    stopped.stopped = true;
    await secondRound(scope, stopped, new Map());
    expect(rewardsOf(scope, stopped).map(({ total, verifier }) => [total, verifier.model])).toEqual([
      [1, 'builtin'],
      [0, 'builtin'],
    ]);
    const judged = newWork();
    await firstRound(scope, judged);
    const rejected = new Map(requests.map((request) => [request.id, result(request, undefined, 'rejected')]));
    await secondRound(scope, judged, rejected);
    expect(rewardsOf(scope, judged)).toEqual([]);
  });
});

describe('citations', () => {
  it('[deep-research 25] tell an invented quote from a genuine one', async () => {
    const pages = [{ url: 'corpus://titan', step: 2, sourceRef: 'k' }];
    const cited = await verifyCitations(
      [
        { url: 'corpus://titan', quote: 'Discovered by: Christiaan Huygens' },
        { url: 'corpus://titan', quote: 'Discovered by: Galileo Galilei' },
        { url: 'corpus://rhea', quote: 'Discovered by: Giovanni Cassini' },
        { url: 'corpus://titan', quote: 'Titan' },
      ],
      pages,
      () => Promise.resolve('# Titan\n\n- Discovered by: **Christiaan  Huygens**\n'),
    );
    expect(cited.map(({ status }) => status)).toEqual([
      'verified',
      'quote_not_found',
      'url_not_fetched',
      'too_short',
    ]);
    expect(cited[0]).toMatchObject({ n: 1, step: 2 });
    // What is not verified earns nothing.
    const { citations } = categoryScores([], new Map(), cited);
    expect(citations).toBe(0.25);
  });
});

describe('reports', () => {
  const rubric: Question['rubric'] = [
    {
      id: 'f',
      category: 'factuality',
      statement: 'Gives the mouth.',
      weight: 1,
      mustHave: true,
      phrases: ['Black Sea'],
    },
    { id: 'c', category: 'compliance', statement: 'Is about the Danube.', weight: 1, mustHave: false },
    { id: 'w', category: 'writing', statement: 'Is ordered.', weight: 1, mustHave: false },
    { id: 's', category: 'citations', statement: 'Cites.', weight: 1, mustHave: false },
  ];
  const asked = question({ kind: 'report', text: 'Report on the Danube.', rubric });
  const report = (id: string, markdown: string, cited = true) =>
    run(id, { markdown, citations: cited ? [citation] : [] });
  const grades = (scores: Record<string, number>) => ({
    items: Object.entries(scores).map(([id, score]) => ({ id, score, reason: '' })),
  });

  it('are graded, then ranked; an order that is no permutation is asked for once more', async () => {
    const scope = scopeOf(asked, [report('r-1', 'one'), report('r-2', 'two'), report('r-3', 'none', false)]);
    const work = newWork();
    const graded = await firstRound(scope, work);
    // The uncited report is filtered before anything is spent on it.
    expect(graded.map(({ id }) => id)).toEqual(['r-1:grade-report', 'r-2:grade-report']);
    const ranks = await secondRound(
      scope,
      work,
      answers(graded, () => grades({ f: 1, c: 1, w: 1, s: 1 })),
    );
    expect(ranks.map(({ id }) => id)).toEqual(['g-1:rank-reports']);
    const again = await rankRound(
      scope,
      work,
      answers(ranks, () => ({ order: ['1', '1'], reason: '' })),
    );
    expect(again).toHaveLength(1);
    expect(JSON.stringify(again[0]!.messages)).toContain('The order lacks 2.');
    const input = again[0]!.input as { reports: { id: string; text: string }[] };
    const second = input.reports.find(({ text }) => text === 'two')!.id;
    const first = input.reports.find(({ text }) => text === 'one')!.id;
    expect(
      await rankRound(
        scope,
        work,
        answers(again, () => ({ order: [second, first], reason: '' })),
      ),
    ).toEqual([]);
    const rewards = rewardsOf(scope, work);
    expect(rewards.map(({ runId, rank }) => [runId, rank])).toEqual([
      ['r-1', 2],
      ['r-2', 1],
    ]);
    expect(rewards[1]!.total - rewards[0]!.total).toBeCloseTo(0.2, 12);
  });

  it('are ordered by item sums after a second wrong order, and unscored where a grade leaves items out', async () => {
    const scope = scopeOf(asked, [report('r-1', 'one'), report('r-2', 'two')]);
    const work = newWork();
    const graded = await firstRound(scope, work);
    const ranks = await secondRound(
      scope,
      work,
      answers(graded, ({ id }) => grades({ f: id.startsWith('r-2') ? 1 : 0.2, c: 1, w: 1, s: 1 })),
    );
    const again = await rankRound(
      scope,
      work,
      answers(ranks, () => ({ order: ['7'] })),
    );
    expect(
      await rankRound(
        scope,
        work,
        answers(again, () => ({ order: [] })),
      ),
    ).toEqual([]);
    expect(rewardsOf(scope, work).map(({ rank }) => rank)).toEqual([2, 1]);

    const partial = newWork();
    await firstRound(scope, partial);
    await secondRound(
      scope,
      partial,
      answers(graded, () => grades({ f: 1 })),
    );
    expect(rewardsOf(scope, partial)).toEqual([]);
  });

  it('have by rules what can be counted', () => {
    const text =
      '# Danube\n\n## Mouth\n\nThe Danube ends in the Black Sea, far to the east of its source. [1]\n';
    const { items } = gradeReport({ instruction: 'x', rubric, report: text });
    const scores = Object.fromEntries(items.map(({ id, score }) => [id, score]));
    expect(scores.f).toBe(1);
    expect(scores.c).toBe(1);
    expect(scores.s).toBe(1);
    const padded = gradeReport({
      instruction: 'x',
      rubric,
      report: `${text}${'so it is and so it goes on '.repeat(60)}`,
    });
    expect(padded.items.find(({ id }) => id === 'w')!.score).toBeLessThan(0.8);
  });
});

describe('ranking', () => {
  it('shuffles by seed under ids that say nothing, and knows a permutation', () => {
    const reports = Array.from({ length: 6 }, (_, n) => ({ runId: `r-${n}`, text: `${n}`, itemSum: n }));
    const { reports: shown, runOf } = shuffledReports('g', reports, 1);
    expect(shown.map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5', '6']);
    expect([...runOf.values()].sort()).toEqual(reports.map(({ runId }) => runId));
    expect(shuffledReports('g', [...reports].reverse(), 1)).toEqual({ reports: shown, runOf });
    expect(orderFault(['2', '1'], ['1', '2'])).toBeUndefined();
    expect(orderFault(['2', '1', '1'], ['1', '2'])).toMatch(/twice/);
  });
});

describe('programs', () => {
  it('are the last fenced block of an answer', () => {
    expect(codeOf('Try:\n```python\nx = 1\n```\nno:\n```py\nx = 2\n```')).toBe('x = 2\n');
    expect(codeOf('x = 3')).toBe('x = 3');
  });

  it('pass where the tests after them raise nothing; ending early passes nothing', async () => {
    const asked = question({ kind: 'code', tests: 'assert double(4) == 8' });
    const scope = scopeOf(asked, [
      run('r-1', { short: '```python\ndef double(x):\n    return 2 * x\n```' }),
      run('r-2', { short: 'def double(x):\n    return x' }),
      run('r-3', { short: 'raise SystemExit' }),
    ]);
    const work = newWork();
    expect(await firstRound(scope, work)).toEqual([]);
    expect(rewardsOf(scope, work).map(({ total }) => total)).toEqual([1, 0, 0]);
  }, 60_000);
});
