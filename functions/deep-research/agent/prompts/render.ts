import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Message, ToolSpec } from '#shared/models/types.ts';
import { fenced, number, packedEntry } from '../memory.ts';
import { toolSpecs } from '../tools.ts';
import { demand, systemPrompt } from './system.ts';
import type { StepInput } from './step-input.ts';

/** The messages of a step, in both families (specification section 4). Pure: equal inputs give equal bytes. */
export function renderStep(input: StepInput): Message[] {
  return input.family === 'native' ? native(input) : singleTurn(input);
}

/** The tools a native endpoint is sent; none in a finalisation, and in the single-turn family they are text. */
export function renderTools(input: StepInput): ToolSpec[] | undefined {
  return input.family === 'native' && !input.final ? specsOf(input.tools) : undefined;
}

function specsOf(names: readonly string[]): ToolSpec[] {
  const tools = {
    search: names.includes('search_internet'),
    browse: names.includes('browse_page'),
    python: names.includes('code_interpreter'),
    memory: names.includes('clean_memory') ? ('clean' as const) : ('edit' as const),
  };
  return toolSpecs({ tools });
}

/** The system message alone: what of a prompt never changes. */
export const systemOf = (input: StepInput): string => systemPrompt(input, specsOf(input.tools));

/** One system message and one user message that packs everything anew; never a thought of before. */
function singleTurn(input: StepInput): Message[] {
  const user = [
    questionBlock(input),
    memoryBlock(input),
    usageLine(input),
    ...noticeBlock(input),
    demand(input),
  ].join('\n\n');
  return [
    { role: 'system', content: systemOf(input) },
    { role: 'user', content: user },
  ];
}

/** The question and what people added to it. */
export function questionBlock({ question, notes }: Pick<StepInput, 'question' | 'notes'>): string {
  const block = `Question:\n<question>\n${fenced(question)}\n</question>`;
  if (notes.length === 0) return block;
  const lines = notes.map((note, index) => `${index + 1}. ${fenced(note)}`).join('\n');
  return `${block}\n\nThe person who asked added:\n<person>\n${lines}\n</person>`;
}

function memoryBlock({ memory }: StepInput): string {
  const parts = [
    ...(memory.note === undefined ? [] : [noteBlock(memory.note)]),
    ...memory.entries.map(packedEntry),
  ];
  return `Memory:\n${parts.length > 0 ? parts.join('\n') : '(empty)'}`;
}

const noteBlock = (note: string): string => `<note>\n${fenced(note)}\n</note>`;

const usageLine = ({ step, maxSteps, memory, final }: StepInput): string =>
  final
    ? 'This is your last reply.'
    : `This is step ${step} of ${maxSteps}. Memory: ${number(memory.tokens)} of ${number(memory.limit)} tokens.`;

const noticeBlock = ({ notices }: StepInput): string[] =>
  notices.length > 0 ? [`Notices:\n${notices.map((notice) => `- ${notice}`).join('\n')}`] : [];

/** An assistant message with one call and a tool message for every entry; thoughts are not sent again. */
function native(input: StepInput): Message[] {
  const { memory } = input;
  const question =
    memory.note === undefined
      ? questionBlock(input)
      : `${questionBlock(input)}\n\nYour note:\n${noteBlock(memory.note)}`;
  const trailing = [usageLine(input), ...noticeBlock(input), demand(input)].join('\n\n');
  return [
    { role: 'system', content: systemOf(input) },
    { role: 'user', content: question },
    ...memory.entries.flatMap(({ step, call, text }): Message[] => [
      {
        role: 'assistant',
        content: '',
        toolCalls: [
          {
            id: `r${step}`,
            name: call.name,
            argumentsText: canonicalJson(call.arguments),
            arguments: call.arguments,
          },
        ],
      },
      { role: 'tool', toolCallId: `r${step}`, content: fenced(text) },
    ]),
    { role: 'user', content: trailing },
  ];
}
