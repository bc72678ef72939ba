import type { Rng } from '#shared/determinism/rng.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { requestFor, type Role } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { ResearchConfig } from '../config.ts';
import type { Reward } from '../records.ts';
import { categoryScores, reportReward } from '../rewards/reports.ts';
import { gradeReportRole, type GradeReportOutput } from '../roles/grade-report.ts';
import { rankReportsRole, type RankReportsInput, type RankReportsOutput } from '../roles/rank-reports.ts';
import { verifyAnswerRole, type VerifyAnswerOutput } from '../roles/verify-answer.ts';
import { testCode } from './code.ts';
import type { GroupLine } from './groups.ts';
import { answerTextOf, isScorable, type JudgedRun } from './judged.ts';
import { bareAnswer, matches } from './match.ts';
import { orderBySums, orderFault, shuffledReports, type Ranked } from './ranking.ts';

/**
 * Scoring a batch of groups in rounds of requests: verify and grade, rank, rank again. What earlier rounds found is
 * kept in a record, so that every round is a function of it and of the answers that came.
 */

export interface ScoreWork {
  /** By run. */
  rewards: Record<string, Reward>;
  grades: Record<string, { output: GradeReportOutput; by: Verifier }>;
  /** By group: the order of the runs, best first. */
  orders: Record<string, { order: string[]; by: Verifier }>;
  /** By group: what was wrong with the first order. */
  faults: Record<string, string>;
  /** No more questions to a model: the budget is spent, the job is cancelled or the judge is out of reach. */
  stopped: boolean;
}

interface Verifier {
  model: string;
  roleVersion: string;
}

export const newWork = (): ScoreWork => ({ rewards: {}, grades: {}, orders: {}, faults: {}, stopped: false });

export interface ScoreScope {
  config: ResearchConfig;
  runtime: Runtime;
  signal: AbortSignal;
  /** The groups with their runs. */
  groups: readonly { line: GroupLine; runs: JudgedRun[] }[];
}

const COMPARISON: Verifier = { model: 'comparison', roleVersion: '1' };
const SANDBOX: Verifier = { model: 'sandbox', roleVersion: '1' };

const builtinOf = <I, O>(role: Role<I, O>): Verifier => ({ model: 'builtin', roleVersion: role.version });

/** Plays a role by its algorithm: what stands in where no model may be asked. */
async function play<I, O>(role: Role<I, O>, input: I, rng: Rng): Promise<O> {
  return role.output.parse(await role.builtin!(input, rng));
}

const rngOf = ({ config }: ScoreScope, id: string): Rng => seededRng(config.input.seed, 'score', id);

type Ask = (request: InferRequest) => void;

/** Round 0: comparison and tests decide what they can; the rest is asked. */
export async function firstRound(scope: ScoreScope, work: ScoreWork): Promise<InferRequest[]> {
  const requests: InferRequest[] = [];
  const programs: { judged: JudgedRun; tests: string }[] = [];
  for (const { runs } of scope.groups) {
    for (const judged of runs) {
      if (!(await isScorable(judged))) continue;
      const { question, run } = judged;
      if (question.kind === 'code') {
        if (question.tests !== undefined) programs.push({ judged, tests: question.tests });
      } else if (question.kind === 'report') {
        if (question.rubric?.length) await grade(scope, work, judged, (request) => requests.push(request));
      } else if (question.gold !== undefined) {
        const answer = bareAnswer(answerTextOf(judged));
        if (matches(answer, { gold: question.gold, aliases: question.aliases })) {
          work.rewards[run.runId] = binary(judged, true, COMPARISON, { extracted: answer.slice(0, 1000) });
        } else await verify(scope, work, judged, (request) => requests.push(request));
      }
    }
  }
  const tested = await testCode(
    scope.runtime,
    programs.map(({ judged, tests }) => ({
      runId: judged.run.runId,
      answer: answerTextOf(judged),
      tests,
      seed: scope.config.input.seed,
    })),
    scope.signal,
  );
  for (const { judged } of programs) {
    const { passed, ...why } = tested.get(judged.run.runId)!;
    work.rewards[judged.run.runId] = binary(judged, passed, SANDBOX, why);
  }
  return requests;
}

const binary = ({ run, question }: JudgedRun, right: boolean, by: Verifier, raw: Json): Reward => ({
  runId: run.runId,
  kind: question.kind,
  components: { [question.kind === 'code' ? 'passed' : 'verified']: right ? 1 : 0 },
  total: right ? 1 : 0,
  verifier: { ...by, raw },
});

async function verify(scope: ScoreScope, work: ScoreWork, judged: JudgedRun, ask: Ask): Promise<void> {
  const { question, run } = judged;
  const input = {
    question: question.text,
    gold: question.gold!,
    aliases: question.aliases ?? [],
    answer: bareAnswer(answerTextOf(judged)),
  };
  const id = verifyId(run.runId);
  if (!work.stopped) ask(requestFor(verifyAnswerRole, input, { id, model: scope.config.judgeModel }));
  else {
    const output = await play(verifyAnswerRole, input, rngOf(scope, id));
    work.rewards[run.runId] = binary(judged, output.correct, builtinOf(verifyAnswerRole), output);
  }
}

async function grade(scope: ScoreScope, work: ScoreWork, judged: JudgedRun, ask: Ask): Promise<void> {
  const { question, run } = judged;
  const input = { instruction: question.text, rubric: question.rubric!, report: answerTextOf(judged) };
  const id = gradeId(run.runId);
  if (!work.stopped) ask(requestFor(gradeReportRole, input, { id, model: scope.config.judgeModel }));
  else {
    const output = await play(gradeReportRole, input, rngOf(scope, id));
    work.grades[run.runId] = { output, by: builtinOf(gradeReportRole) };
  }
}

const verifyId = (runId: string): string => `${runId}:verify-answer`;
const gradeId = (runId: string): string => `${runId}:grade-report`;
const rankId = (groupId: string): string => `${groupId}:rank-reports`;

/** Takes the answers of round 0 and asks for the ranks of groups with several graded reports. */
export async function secondRound(
  scope: ScoreScope,
  work: ScoreWork,
  results: ReadonlyMap<string, InferResult>,
): Promise<InferRequest[]> {
  for (const { runs } of scope.groups) {
    for (const judged of runs) await take(scope, work, judged, results);
  }
  return rankRequests(scope, work);
}

async function take(
  scope: ScoreScope,
  work: ScoreWork,
  judged: JudgedRun,
  results: ReadonlyMap<string, InferResult>,
): Promise<void> {
  const { run, question } = judged;
  if (work.rewards[run.runId] || work.grades[run.runId] || !(await isScorable(judged))) return;
  const report = question.kind === 'report';
  if (report ? !question.rubric?.length : question.gold === undefined || question.kind === 'code') return;
  const result = results.get(report ? gradeId(run.runId) : verifyId(run.runId));
  if (result?.status === 'ok') {
    const by = { model: result.model, roleVersion: result.role.version };
    if (!report) {
      const output = result.output as VerifyAnswerOutput;
      work.rewards[run.runId] = binary(judged, output.correct, by, output);
      return;
    }
    const output = result.output as GradeReportOutput;
    const graded = new Set(output.items.map(({ id }) => id));
    // A grade that leaves items out says nothing of the report: the run stays unscored.
    if (question.rubric!.every(({ id }) => graded.has(id))) work.grades[run.runId] = { output, by };
  } else if (!result && work.stopped) {
    await (report ? grade : verify)(scope, work, judged, () => undefined);
  }
}

/** The graded reports of a group: what is ranked. */
function gradedOf(work: ScoreWork, runs: readonly JudgedRun[]): (Ranked & { judged: JudgedRun })[] {
  return runs.flatMap((judged) => {
    const known = work.grades[judged.run.runId];
    if (!known) return [];
    const scores = new Map(known.output.items.map(({ id, score }) => [id, score]));
    const itemSum = judged.question.rubric!.reduce(
      (sum, item) => sum + item.weight * (scores.get(item.id) ?? 0),
      0,
    );
    return [{ judged, runId: judged.run.runId, text: answerTextOf(judged), itemSum }];
  });
}

async function rankRequests(scope: ScoreScope, work: ScoreWork): Promise<InferRequest[]> {
  const requests: InferRequest[] = [];
  for (const { line, runs } of scope.groups) {
    const reports = gradedOf(work, runs);
    if (work.orders[line.groupId] || reports.length === 0) continue;
    if (reports.length === 1) {
      work.orders[line.groupId] = { order: [reports[0]!.runId], by: COMPARISON };
      continue;
    }
    const fault = work.faults[line.groupId];
    const { reports: shown, runOf } = shuffledReports(line.groupId, reports, scope.config.input.seed);
    const input: RankReportsInput = {
      instruction: runs[0]!.question.text,
      reports: shown,
      ...(fault === undefined ? {} : { fault }),
    };
    if (!work.stopped) {
      requests.push(
        requestFor(rankReportsRole, input, { id: rankId(line.groupId), model: scope.config.judgeModel }),
      );
    } else {
      const { order } = await play(rankReportsRole, input, rngOf(scope, line.groupId));
      work.orders[line.groupId] = {
        order: order.map((id) => runOf.get(id)!),
        by: builtinOf(rankReportsRole),
      };
    }
  }
  return requests;
}

/** Takes the orders of the groups; one that is no permutation is asked for once more, then item sums decide. */
export async function rankRound(
  scope: ScoreScope,
  work: ScoreWork,
  results: ReadonlyMap<string, InferResult>,
): Promise<InferRequest[]> {
  for (const { line, runs } of scope.groups) {
    const reports = gradedOf(work, runs);
    if (work.orders[line.groupId] || reports.length < 2) continue;
    const result = results.get(rankId(line.groupId));
    if (!result && work.stopped) continue;
    const { runOf } = shuffledReports(line.groupId, reports, scope.config.input.seed);
    const order = result?.status === 'ok' ? (result.output as RankReportsOutput).order : [];
    const fault = orderFault(order, runOf.keys());
    if (fault === undefined) {
      const by = { model: result!.model, roleVersion: result!.role.version };
      work.orders[line.groupId] = { order: order.map((id) => runOf.get(id)!), by };
    } else if (result?.status === 'ok' && work.faults[line.groupId] === undefined) {
      work.faults[line.groupId] = fault;
    } else {
      work.orders[line.groupId] = { order: orderBySums(reports), by: COMPARISON };
    }
  }
  return rankRequests(scope, work);
}

/** The rewards of the batch, in the order of its runs. Runs nothing was found out about have none. */
export function rewardsOf({ groups }: ScoreScope, work: ScoreWork): Reward[] {
  return groups.flatMap(({ line, runs }) => {
    const order = work.orders[line.groupId]?.order ?? [];
    return runs.flatMap((judged) => {
      const { run, question } = judged;
      const known = work.rewards[run.runId];
      if (known) return [known];
      const graded = work.grades[run.runId];
      const at = order.indexOf(run.runId);
      if (!graded || at < 0) return [];
      const scores = new Map(graded.output.items.map(({ id, score }) => [id, score]));
      const categories = categoryScores(question.rubric!, scores, run.answer?.citations ?? []);
      const { total, components } = reportReward(categories, { p: at + 1, n: order.length });
      return [
        {
          runId: run.runId,
          kind: question.kind,
          components,
          rank: at + 1,
          total,
          verifier: {
            ...graded.by,
            raw: { items: graded.output.items, ranking: { ...work.orders[line.groupId]!.by } },
          },
        },
      ];
    });
  });
}
