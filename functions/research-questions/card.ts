import type { QuestionsConfig } from './config.ts';

export interface QuestionCounts {
  questions: number;
  reports: number;
  /** Short questions by the facts they need. */
  hops: Record<string, number>;
  /** Extensions by their form. */
  bridges: Record<string, number>;
  splits: Record<string, number>;
  rejects: Record<string, number>;
}

/** `output/README.md`: what the questions are and how they were made. */
export function card(config: QuestionsConfig, counts: QuestionCounts): string {
  const { input } = config;
  const rows = (name: string, values: Record<string, number>): string[] =>
    Object.entries(values).map(([value, n]) => `| ${name} ${value} | ${n} |`);
  const solver =
    input.solverRuns > 0
      ? `The agent tried each question ${input.solverRuns} times; hardness is the share of wrong tries, and questions between ${config.band.min} and ${config.band.max} were taken.`
      : 'No solver ran: questions have no hardness.';
  const written = config.builtin
    ? '**Written by algorithms, not by a language model**: expect plain questions. Closed-book tests were not made (`not_tested`).'
    : `Written and examined by ${config.model}; asked ${input.closedBookTries} times without the corpus, questions it knew were dropped.`;
  return `# Research questions

${counts.questions} short questions and ${counts.reports} report questions from one corpus. ${written} ${solver}
Configuration ${config.cfg}, seed ${input.seed}.

- \`questions.jsonl\`: id, kind, text, gold answer or rubric, hops, evidence (page and line), hardness, split. It is an
  input of the workflow deep-research as it is.
- \`train.parquet\`, \`test.parquet\`: the same as verl's data loader reads them.
- \`rejects.jsonl\`: what was not taken, and why.

A question of several hops names none of the entities between: each is described by a fact that fits it alone in the
corpus. All documents that a question stands on are of its split, so no document is in both.

| | |
| --- | --- |
${[...rows('hops', counts.hops), ...rows('bridge', counts.bridges), ...rows('split', counts.splits), ...rows('rejected', counts.rejects)].join('\n')}
`;
}
