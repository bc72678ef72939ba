import type { ResearchConfig } from '../config.ts';
import { REPORT_WEIGHTS } from '../rewards/reports.ts';
import type { JobCounts } from './counts.ts';

/** `output/README.md`: what the files are, and how to train on them. */
export function researchCard(config: ResearchConfig, counts: JobCounts): string {
  const { input } = config;
  const table = (rows: [string, string | number][]): string =>
    ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
  const status = Object.entries(counts.status).sort(([a], [b]) => (a < b ? -1 : 1));
  const drops = Object.entries(counts.drops).sort(([a], [b]) => (a < b ? -1 : 1));
  const judged = config.selfGraded
    ? `**The policy graded itself** (${config.judgeModel}): treat rewards that comparison did not decide with care.`
    : `Judge: ${config.judgeModel}.`;
  const verified =
    counts.citations === 0 ? 'none' : `${counts.verifiedCitations} of ${counts.citations} citations verified`;
  return `# Research rollouts

${counts.questions} questions, ${input.rollouts} rollouts each, by ${config.model} (${config.family}), as of ${config.asOf}.
${judged} Configuration ${config.cfg}, seed ${input.seed}.

## Files

- \`answers.jsonl\`: the answer of every run that gave one, its citations with their verification (${verified}).
- \`runs.jsonl\`: how every run ended and what it used.
- \`rewards.jsonl\`: one terminal reward a run, its components and what judged it.
- \`groups.jsonl\`: every run of every group: kept with its advantage, or why not.
- \`questions.jsonl\`, \`questions.parquet\`: the questions as verl's data loader reads them.
- \`steps.jsonl\`: one training sample a step of a kept run, in TRL's conversational prompt-completion form, with
  \`advantage\`, \`reward\`, \`group_id\`, \`run_id\`, \`step\` and \`T\`. A sample is one request and its raw reply, thinking
  included; never a concatenated conversation.

## Counts

${table([...status.map(([name, n]): [string, number] => [`runs ${name}`, n]), ['steps', counts.steps], ['groups', counts.groups], ['groups kept', counts.groupsKept], ['training samples', counts.samples], ...(counts.meanReward === undefined ? [] : [['mean reward', counts.meanReward.toFixed(4)] as [string, string]])])}

${drops.length > 0 ? `Runs that are no samples:\n\n${table(drops)}` : 'No run was dropped.'}

## Rewards and advantages

Short and mathematical answers have 1 if they agree with the gold answer, else 0; programs 1 if their tests pass.
Reports have ${Object.entries(REPORT_WEIGHTS)
    .map(([name, weight]) => `${weight} ${name}`)
    .join(' + ')}, each from 0 to 1; the citation part is the verified share.
The reward is terminal and belongs to every step of its run. Within a group, over its kept runs,
A = (r − mean) / (std · T) with the population standard deviation and T the run's steps: the steps of a run sum to its
z-score, so long runs weigh no more than short ones. Groups without variance and sides more than three times the other
are cut.

## Training

Stock trainers compute advantages by themselves: using \`advantage\` needs a loader of your own. A starting point:
learning rate 1e-6, clip 0.2, no KL penalty, temperature 1, and the loss min(ρA, clip(ρ)A) averaged over generated
tokens.
`;
}
