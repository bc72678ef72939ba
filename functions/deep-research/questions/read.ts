import { questionId } from '#shared/research/ids.ts';
import type { Question } from '#shared/research/types.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { isTooLong } from '../config.ts';
import { MAX_QUESTIONS, QuestionInSchema, type ResearchInput } from '../input.ts';

/** Why a line is no question (specification section 2). */
export type QuestionRejectCode = 'bad_json' | 'too_long' | 'duplicate_question' | 'no_gold';

export interface QuestionReject {
  line: number;
  stage: 'questions';
  code: QuestionRejectCode;
  detail: string;
  questionId?: string;
}

const MAX_LINE_BYTES = 1024 * 1024;

/**
 * The questions of a job, and the lines that are none. Lines are counted from 1; questions given in the input are
 * lines too.
 * @throws InvalidInput above 10,000 questions; NotFound.
 */
export async function* readQuestions(
  given: ResearchInput['questions'],
  context: {
    artifacts: Artifacts;
    /** Runs of a group are compared, so their answers must be checkable. */
    needGold: boolean;
    count(text: string): number;
  },
): AsyncGenerator<{ question: Question } | { reject: QuestionReject }> {
  const seen = new Set<string>();
  let questions = 0;
  for await (const { line, value } of lines(given, context.artifacts)) {
    const read = questionOf(line, value, context);
    if ('question' in read) {
      if (seen.has(read.question.id)) {
        const detail = `Line ${line} asks what an earlier line asks.`;
        yield {
          reject: {
            line,
            stage: 'questions',
            code: 'duplicate_question',
            detail,
            questionId: read.question.id,
          },
        };
        continue;
      }
      seen.add(read.question.id);
      if (++questions > MAX_QUESTIONS) {
        throw invalidInput(`There are more than ${MAX_QUESTIONS} questions: give them in several jobs.`);
      }
    }
    yield read;
  }
}

async function* lines(
  given: ResearchInput['questions'],
  artifacts: Artifacts,
): AsyncGenerator<{ line: number; value: unknown }> {
  if (Array.isArray(given)) {
    for (const [index, value] of given.entries()) yield { line: index + 1, value };
    return;
  }
  const { body } = await artifacts.get(given.key);
  let line = 0;
  for await (const text of textLines(body)) {
    line++;
    if (text.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = NO_JSON;
    }
    yield { line, value };
  }
}

const NO_JSON = Symbol('no JSON');

async function* textLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const parts = rest.split('\n');
    rest = parts.pop()!;
    yield* parts;
    // What is longer than any question is cut: its JSON does not parse, and memory stays bounded.
    if (rest.length > MAX_LINE_BYTES) rest = rest.slice(0, MAX_LINE_BYTES);
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}

function questionOf(
  line: number,
  value: unknown,
  { needGold, count }: { needGold: boolean; count(text: string): number },
): { question: Question } | { reject: QuestionReject } {
  const reject = (code: QuestionRejectCode, detail: string, id?: string) => ({
    reject: {
      line,
      stage: 'questions' as const,
      code,
      detail,
      ...(id === undefined ? {} : { questionId: id }),
    },
  });
  if (value === NO_JSON) return reject('bad_json', `Line ${line} is not JSON.`);
  const parsed = QuestionInSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return reject(
      'bad_json',
      `Line ${line} is no question: ${issue!.path.join('.') || 'it'}: ${issue!.message}`,
    );
  }
  const { id: _id, evidence, ...rest } = parsed.data;
  const text = rest.text.toWellFormed();
  const id = questionId(rest.kind, text);
  if (isTooLong(text, count))
    return reject('too_long', `The question of line ${line} has over 2,000 tokens.`, id);
  const checkable = rest.gold !== undefined || rest.tests !== undefined || (rest.rubric?.length ?? 0) > 0;
  if (needGold && !checkable) {
    const detail = `With several rollouts line ${line} needs gold, tests or a rubric.`;
    return reject('no_gold', detail, id);
  }
  const question = Object.fromEntries(
    Object.entries({ id, ...rest, text, evidence: evidence ?? [] }).filter(
      ([, member]) => member !== undefined,
    ),
  );
  return { question: question as unknown as Question };
}

/** Questions that were written by `prepare`. */
export async function* questionsOf(artifacts: Artifacts, key: string): AsyncGenerator<Question> {
  for await (const { value } of readJsonl(artifacts, key)) yield value as Question;
}
