import type { Json } from '#shared/storage/ports.ts';
import { pythonIn } from '../builtin/python-reasoning.ts';
import { readSteps } from '../builtin/steps.ts';
import type { FieldName, ToolLibraryInput } from '../input.ts';
import { problemId } from '../ids.ts';
import type { ImportedTool, Problem, Reject } from '../records.ts';

/** One row of the source made a problem or an imported tool, or a reject with its reason (section 2). */

export type Row =
  | { kind: 'problem'; row: Problem }
  | { kind: 'tool'; row: ImportedTool }
  | { kind: 'reject'; reject: Reject };

const ALIASES: Record<FieldName, readonly string[]> = {
  id: [],
  question: ['problem', 'query', 'prompt'],
  reasoning: [],
  answer: ['gold', 'ground_truth', 'expected', 'target'],
  options: [],
  code: ['python_code', 'tool_code', 'function'],
  call: ['tool_call', 'invocation', 'example_call'],
  setup: [],
  tags: [],
};

export const MAX_ROW_BYTES = 256 * 1024;
const MAX_ID = 100;

type Options = Pick<ToolLibraryInput, 'format' | 'fields'>;

/** Reads one row. `line` counts from 1. */
export function readRow(value: Json, line: number, options: Options): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused(line, 'BAD_ROW', `Line ${line} is no JSON object: give one object a line.`);
  }
  const field = (name: FieldName): Json | undefined => {
    const given = options.fields[name];
    const names = given === undefined ? [name, ...ALIASES[name]] : [given];
    const found = names.find((candidate) => Object.hasOwn(value, candidate) && value[candidate] !== null);
    return found === undefined ? undefined : value[found];
  };
  const named = (name: FieldName): string => options.fields[name] ?? [name, ...ALIASES[name]].join(' or ');
  const missing = (name: FieldName): Row =>
    refused(
      line,
      'FIELD_MISSING',
      field(name) === undefined
        ? `Line ${line} has no ${named(name)}; name yours in \`fields\`.`
        : `Line ${line}: ${name} is empty or not of its type; give ${name === 'answer' ? 'a value' : 'text'}.`,
    );

  const given = field('code');
  const isTool = options.format === 'tools' || (options.format === 'auto' && given !== undefined);
  const code = textOf(given);
  const question = textOf(field('question'));
  if (question === undefined) return missing('question');
  const answer = field('answer') ?? (isTool ? noneOf(value, named('answer').split(' or ')) : undefined);
  if (answer === undefined || (typeof answer === 'string' && answer.trim() === '')) return missing('answer');
  return isTool
    ? toolRow({ line, question, answer, code, field, missing })
    : problemRow({ line, question, answer, field, missing });
}

/** A tool's answer may be any JSON: null is what Python calls None. */
const noneOf = (row: Record<string, Json>, names: readonly string[]): Json | undefined =>
  names.some((name) => Object.hasOwn(row, name)) ? null : undefined;

const refused = (line: number, code: Reject['code'], message: string): Row => ({
  kind: 'reject',
  reject: { itemId: `line-${line}`, stage: 'ingest', code, message },
});

interface Draft {
  line: number;
  question: string;
  answer: Json;
  field(name: FieldName): Json | undefined;
  missing(name: FieldName): Row;
}

function toolRow({
  line,
  question,
  answer,
  code,
  field,
  missing,
}: Draft & { code: string | undefined }): Row {
  if (code === undefined) return missing('code');
  const call = textOf(field('call'));
  if (call === undefined) return missing('call');
  const setup = textOf(field('setup'));
  const tags = field('tags');
  return {
    kind: 'tool',
    row: {
      id: ownId(field) ?? problemId(question, [answer, code, call]),
      line,
      question,
      answer,
      code,
      call,
      ...(setup === undefined ? {} : { setup }),
      tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
    },
  };
}

function problemRow({ line, question, answer: given, field, missing }: Draft): Row {
  const answerText = typeof given === 'string' ? given : JSON.stringify(given);
  let answer = answerText.trim();
  let reasoning = reasoningOf(field('reasoning'));
  if (reasoning === undefined) {
    // GSM8K puts both into one field.
    const split = /^([\s\S]*)####([\s\S]*)$/.exec(answerText);
    if (!split || split[1]!.trim() === '') return missing('reasoning');
    reasoning = split[1]!.trim();
    answer = split[2]!.trim();
  }
  if (answer === '') return missing('answer');
  const options = field('options');
  const texts = Array.isArray(options)
    ? options.map((option) => textOf(option) ?? String(option))
    : undefined;
  return {
    kind: 'problem',
    row: {
      id: ownId(field) ?? problemId(question, answer),
      line,
      question,
      reasoning,
      answer,
      ...(texts && texts.length > 0 ? { options: texts } : {}),
    },
  };
}

/** The row's own id, where it has one that can stand in file names and request ids. */
function ownId(field: Draft['field']): string | undefined {
  const id = field('id');
  const text = typeof id === 'number' ? String(id) : textOf(id);
  return text !== undefined && text.length <= MAX_ID && /^[\w.-]+$/.test(text) ? text : undefined;
}

const textOf = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;

/** Of a list the first entry counts that can be read as working, else the first that is a text. */
function reasoningOf(value: Json | undefined): string | undefined {
  const texts = [...reasoningsIn(value)];
  return texts.find(isParsable) ?? texts[0];
}

function* reasoningsIn(value: Json | undefined): Generator<string> {
  if (Array.isArray(value)) {
    for (const entry of value) yield* reasoningsIn(entry);
  } else if (typeof value === 'object' && value !== null) {
    yield* reasoningsIn(value.reasoning ?? value.text ?? value.content);
  } else {
    const text = textOf(value);
    if (text !== undefined) yield text;
  }
}

/** Whether there are steps in it that hold, or it is Python. */
function isParsable(reasoning: string): boolean {
  if (pythonIn(reasoning) !== undefined) return true;
  const read = readSteps(reasoning);
  return read.ok && read.steps.length > 0;
}
