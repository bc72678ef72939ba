import { FENCE_RULE, fence } from '#shared/models/fence.ts';
import type { Message } from '#shared/models/types.ts';
import type { GenerateExample, GenerateInput } from '../records.ts';
import { exampleBlock } from './examples.ts';
import { replyRule } from './reply.ts';

const SYSTEM = `You write one question with one short answer, both taken wholly from a document, for a reader who will
never see that document.

Take the point of view given as persona: ask what that reader would want to know.

The question
- states all background a reader needs: full names, places, years, units, conditions. Someone who knows the field must
  be able to answer it from the question alone.
- has exactly one right answer, which the document states.
- never speaks of a document, text, passage, article, author, table or figure, and never says "according to".
- never holds the answer, in any form, in its background.
- is no yes-or-no question, no multiple choice, and asks for no opinion.
- avoids words that age: now, currently, recently, today, this year. Name the year or date instead.

The answer
- is as short as it can be and of one of these types: number (digits only), quantity (number with unit), date, name,
  phrase (a few words), list (two to eight items, separated by semicolons), expression (formula or code), boolean.
  Use only the types that the user message allows.
- uses the document's own wording and units.

aliases: up to five other spellings that are equally right, often none.
evidence: the sentence or line of the document that proves the answer, copied letter by letter.

If the document offers no such question, set "declined" to true and leave the other fields empty.

${replyRule('{"thought": string, "declined": false, "question": string, "answer": string, "answerType": string, "aliases": [string], "evidence": string}')}

${FENCE_RULE}`;

export const GENERATE_SYSTEM = SYSTEM;

const shown = (example: GenerateExample, index: number): string =>
  exampleBlock(
    index + 1,
    { domain: example.domain, persona: example.persona, title: example.title, text: example.text },
    {
      thought: `A ${example.persona} would ask this; the document states it once.`,
      declined: false,
      question: example.question,
      answer: example.answer,
      answerType: example.answerType,
      aliases: example.aliases,
      evidence: example.evidence,
    },
  );

export function renderGenerate(input: GenerateInput): Message[] {
  const others = input.personas.filter((_, index) => index !== input.personaIndex);
  return [
    { role: 'system', content: [SYSTEM, ...input.examples.map(shown)].join('\n\n') },
    {
      role: 'user',
      content: [
        `Answer types allowed: ${input.answerTypes.join(', ')}`,
        fence(input.docId, {
          domain: input.domain,
          persona: input.persona,
          // Others get questions of their own; a hint to ask about something else keeps them distinct.
          'other-personas': others.length > 0 ? others.join('; ') : undefined,
          title: input.title,
          text: input.text,
        }),
      ].join('\n'),
    },
  ];
}
