import { countTokensOf } from '#shared/models/ledger/tokenizers.ts';
import type { Question } from '#shared/research/types.ts';
import type { Records } from '#shared/storage/ports.ts';
import type { Run } from '../records.ts';
import { formFault, type Sample } from '../rewards/advantages.ts';
import { loadHeads } from '../run/store.ts';
import type { GroupLine } from './groups.ts';
import { bareAnswer } from './match.ts';

/** A run that has ended, with its question. */
export interface JudgedRun {
  run: Run;
  question: Question;
}

/** The runs of a group as they ended; those without a record are left out. */
export async function judgedRuns(records: Records, jobId: string, group: GroupLine): Promise<JudgedRun[]> {
  const judged: JudgedRun[] = [];
  for await (const { run, question } of loadHeads(records, jobId, group.runs)) judged.push({ run, question });
  return judged;
}

/** What a judge sees of an answer: of a report its text, else the short answer. */
export const answerTextOf = ({ run, question }: JudgedRun): string =>
  (question.kind === 'report' ? run.answer?.markdown : (run.answer?.short ?? run.answer?.markdown)) ?? '';

/** A run as its group sees it. */
export async function sampleOf(judged: JudgedRun, reward?: number): Promise<Sample> {
  const { run, question } = judged;
  const count = await countTokensOf('o200k_base');
  return {
    runId: run.runId,
    kind: question.kind,
    status: run.status,
    T: run.usage.steps,
    malformed: run.usage.malformed,
    answerTokens: count(bareAnswer(answerTextOf(judged))),
    citations: run.answer?.citations.length ?? 0,
    steered: run.steered,
    ...(reward === undefined ? {} : { reward }),
  };
}

/** Whether anything can be said of a run's answer that would count. */
export async function isScorable(judged: JudgedRun): Promise<boolean> {
  return formFault(await sampleOf(judged)) === undefined;
}
