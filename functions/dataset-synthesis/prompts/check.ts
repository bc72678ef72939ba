import { FENCE_RULE, fence } from '#shared/models/fence.ts';
import type { Message } from '#shared/models/types.ts';
import type { CheckInput } from '../records.ts';
import { CHECK_EXAMPLES } from '../few-shots/check.ts';
import { exampleBlock } from './examples.ts';
import { replyRule } from './reply.ts';

const SYSTEM = `You check a question and its answer against a document. Use the document alone: what you know from
elsewhere counts for nothing, even where the document is wrong.

Give three verdicts:
- answerCorrect: the document states this answer to this question, and no other answer would be equally right.
  False when it is merely plausible, incomplete, about something else, or one of several.
- leaksAnswer: the question's own wording gives the answer away, literally, reworded, or as the same number in other
  units or words.
- hasContext: the question can be understood and answered by a reader who sees nothing else: everything it refers to
  is named, no pronoun hangs in the air, and it needs no document, table or present day to make sense.

${replyRule('{"thought": string, "answerCorrect": true | false, "leaksAnswer": true | false, "hasContext": true | false}')}

${FENCE_RULE}`;

export const CHECK_SYSTEM = `${SYSTEM}\n\n${CHECK_EXAMPLES.map((example, index) =>
  exampleBlock(
    index + 1,
    { text: example.text, question: example.question, answer: example.answer },
    example.output,
  ),
).join('\n\n')}`;

export function renderCheck(input: CheckInput): Message[] {
  return [
    { role: 'system', content: CHECK_SYSTEM },
    {
      role: 'user',
      content: fence(input.docId, {
        title: input.title,
        text: input.text,
        question: input.question,
        answer: input.answer,
      }),
    },
  ];
}
