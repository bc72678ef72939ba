import type { Reward, Run } from '../records.ts';
import type { JudgedRun } from '../scoring/judged.ts';

/** Rows of the output files. None holds a clock time: equal jobs give equal bytes. */

/** A run without what was measured: how long it took differs from time to time. */
export function runRow({ run }: JudgedRun): unknown {
  const { usage, answer: _answer, ...rest } = run satisfies Run;
  const { ms: _ms, microUsd: _microUsd, ...counted } = usage;
  return { ...rest, usage: counted };
}

/** The answer of a run that gave one. */
export function answerRow({ run, question }: JudgedRun, rewards: ReadonlyMap<string, Reward>): unknown {
  if (!run.answer) return undefined;
  const reward = rewards.get(run.runId)?.total;
  return {
    questionId: question.id,
    question: question.text,
    runId: run.runId,
    g: run.g,
    status: run.status,
    ...run.answer,
    ...(reward === undefined ? {} : { reward }),
  };
}
