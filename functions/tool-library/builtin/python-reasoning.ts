import { z } from 'zod';
import { identifier, functionWords } from './naming.ts';
import { mentionsOf, type Mention } from './mentions.ts';
import { describe } from './naming.ts';
import type { Extraction } from './extract.ts';

/** Reasoning that is Python: numbers of the question become parameters, its last value what is returned (section 6). */

/** A top-level statement, as the analyser read it. */
export const PythonReasoningSchema = z.array(
  z.strictObject({
    text: z.string(),
    kind: z.enum(['import', 'def', 'assign', 'print', 'expression', 'return', 'other']),
    /** The name it assigns, alone. */
    target: z.string().optional(),
    /** The numeric literal it assigns. */
    number: z.number().optional(),
    /** What it prints or returns, or the expression it is. */
    value: z.string().optional(),
  }),
);
export type PythonReasoning = z.infer<typeof PythonReasoningSchema>;

const FENCED = /```[ \t]*(?:python|py)[ \t]*\n([\s\S]*?)```/i;

/** The Python of a reasoning text: a fenced block, or all of it where it could be code; else undefined. */
export const pythonIn = (reasoning: string): string | undefined => {
  const fenced = FENCED.exec(reasoning)?.[1];
  if (fenced !== undefined) return fenced;
  return !reasoning.includes('<<') && /^\s*[A-Za-z_]\w*\s*(?::\s*\w+\s*)?=[^=]/m.test(reasoning)
    ? reasoning
    : undefined;
};

export function extractFromPython(question: string, statements: PythonReasoning): Extraction {
  const mentions = mentionsOf(question);
  const taken = new Set<number>();
  const parameters: { name: string; mention: Mention }[] = [];
  const imports: string[] = [];
  const body: string[] = [];
  let result: string | undefined;
  for (const { kind, text, target, number, value } of statements) {
    const mention =
      kind === 'assign' && number !== undefined
        ? mentions.find((candidate) => candidate.value === number && !taken.has(candidate.index))
        : undefined;
    if (mention && target !== undefined && !parameters.some(({ name }) => name === target)) {
      taken.add(mention.index);
      parameters.push({ name: target, mention });
    } else if (kind === 'import') imports.push(text);
    else if (kind === 'print' || kind === 'expression') result = value;
    else if (kind === 'return') {
      // Nothing after it is run.
      if (value !== undefined) result = value;
      break;
    } else {
      body.push(text);
      if (kind === 'assign' && target !== undefined) result = target;
    }
  }
  if (result === undefined || parameters.length === 0) {
    const message =
      parameters.length === 0
        ? 'No number of the question is assigned by the code.'
        : 'The code prints, returns and assigns nothing.';
    return { ok: false, code: 'ANSWER_NOT_REACHED', message };
  }
  const words = functionWords(question, [result], undefined);
  const name = identifier(words) ?? 'value';
  const code = [
    ...imports,
    `def ${name}(${parameters.map((parameter) => `${parameter.name}: float`).join(', ')}):`,
    `    """${words.join(' ')}, from ${parameters.map((parameter) => parameter.name.replaceAll('_', ' ')).join(', ')}.`,
    '',
    '    Args:',
    ...parameters.map((parameter) => `        ${parameter.name}: ${describe(parameter.mention)}`),
    '    """',
    ...body.flatMap((text) => text.split('\n').map((line) => `    ${line}`)),
    `    return ${result}`,
  ].join('\n');
  const call = `${name}(${parameters.map((parameter) => `${parameter.name}=${parameter.mention.value}`).join(', ')})`;
  return { ok: true, tool: { tags: words.slice(0, 4), code: `${code}\n`, call } };
}
