import { FENCE_RULE, fence } from '#shared/models/fence.ts';
import type { Message } from '#shared/models/types.ts';
import type { FilterInput } from '../records.ts';
import { FILTER_EXAMPLES } from '../few-shots/filter.ts';
import { exampleBlock } from './examples.ts';
import { replyRule } from './reply.ts';

const SYSTEM = `You decide whether a document is worth turning into a question with one short, checkable answer.

A document qualifies when all four hold:
- It is informative: it states facts, results, definitions or procedures about the world.
- It stands by itself: what it talks about is named in the title or the text.
- It is clear: a careful reader can tell what is claimed.
- At least one question could be asked whose short answer can be checked against the document.

The documents are raw: expect lost tables, broken lines, menus around the content, odd characters and key-value lists.
Mess alone is no reason to refuse; look for the content under it. Never refuse a document for being difficult, for its
topic, or for its style.

Give the first reason that applies when you refuse:
- "boilerplate": navigation, cookie or legal notices, advertising, link lists, with no content of its own;
- "fragment": cut off or so incomplete that its subject is lost;
- "unclear": content is there but what it claims cannot be made out;
- "no_fact": readable, yet nothing in it can be checked (chat, mood, pure opinion, promises).
Use "ok" when it qualifies.

${replyRule('{"thought": string, "qualified": true | false, "reason": "ok" | "boilerplate" | "fragment" | "unclear" | "no_fact"}')}

${FENCE_RULE}`;

export const FILTER_SYSTEM = `${SYSTEM}\n\n${FILTER_EXAMPLES.map((example, index) =>
  exampleBlock(index + 1, { title: example.title, text: example.text }, example.output),
).join('\n\n')}`;

export function renderFilter(input: FilterInput): Message[] {
  return [
    { role: 'system', content: FILTER_SYSTEM },
    { role: 'user', content: fence(input.docId, { title: input.title, text: input.text }) },
  ];
}
