import type { JudgeToolsInput, JudgeToolsOutput } from '../roles/judge-tools.ts';

/** judge-tools without a model: what happened decides. */
export function judgeTools({ tools, transcripts }: JudgeToolsInput): JudgeToolsOutput {
  const right = transcripts.filter((transcript) => transcript.right).length;
  const used = tools.filter(({ evidence }) => evidence.mattered > 0);
  const effective = right > 0 && used.length > 0;
  const improvements: string[] = [];
  if (right === 0)
    improvements.push(
      'No attempt gave the right answer: name and describe the parameters by the words that stand around their values.',
    );
  else if (used.length === 0)
    improvements.push('Right answers came without the tools: describe what they compute.');
  return {
    utility: `${used.length} of ${tools.length} tools led to a right answer.`,
    use: `${tools.filter(({ evidence }) => evidence.called > 0).length} of ${tools.length} tools were called.`,
    correctness: `${right} of ${transcripts.length} attempts gave the right answer.`,
    generality: 'Changed arguments changed the values: checked before.',
    verdict: effective ? 'EFFECTIVE' : 'INEFFECTIVE',
    improvements,
  };
}
