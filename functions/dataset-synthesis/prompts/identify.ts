import { FENCE_RULE, fence } from '#shared/models/fence.ts';
import type { Message } from '#shared/models/types.ts';
import type { IdentifyInput } from '../records.ts';
import { IDENTIFY_EXAMPLES } from '../few-shots/identify.ts';
import { exampleBlock } from './examples.ts';
import { replyRule } from './reply.ts';

const SYSTEM = `You classify a document and name who would learn from it.

Domain: choose exactly one name from the list given in the user message, copied letter by letter. Choose by what the
document teaches, not by where it was published. When none fits clearly, choose "Other".

Personas: name the distinct audiences who would have different questions about this document, the best first, at most
as many as the user message allows. Each is a short noun phrase of two to five words for a kind of reader, such as a
profession, a student of a subject or a person with a task. No names of people, no sentences, no repetition.

${replyRule('{"thought": string, "domain": string, "personas": [string, ...]}')}

${FENCE_RULE}`;

export const IDENTIFY_SYSTEM = `${SYSTEM}\n\n${IDENTIFY_EXAMPLES.map((example, index) =>
  exampleBlock(index + 1, { title: example.title, text: example.text }, example.output),
).join('\n\n')}`;

export function renderIdentify(input: IdentifyInput): Message[] {
  return [
    { role: 'system', content: IDENTIFY_SYSTEM },
    {
      role: 'user',
      content: [
        `Domains: ${input.domains.join('; ')}`,
        `Personas: at most ${input.maxPersonas}`,
        fence(input.docId, { title: input.title, text: input.text }),
      ].join('\n'),
    },
  ];
}
