import type { z } from 'zod';
import type { FieldProblem } from './errors.ts';

/** The reference token of a property or index in a JSON Pointer (RFC 6901). */
export const pointerToken = (part: PropertyKey): string =>
  String(part).replaceAll('~', '~0').replaceAll('/', '~1');

/** The JSON Pointer of a path; '' is the whole document. */
export const pointerTo = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${pointerToken(part)}`).join('');

/** The faults that a schema found, one a field: an unknown field points at itself, a failed union at its best member. */
export function fieldProblems(error: z.ZodError, base: readonly PropertyKey[] = []): FieldProblem[] {
  return error.issues.flatMap((issue) => problemsOf(issue, base));
}

function problemsOf(issue: z.core.$ZodIssue, base: readonly PropertyKey[]): FieldProblem[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: pointerTo([...path, key]),
      code: 'unknown-field',
      detail: 'There is no such field: remove it or correct its name.',
    }));
  }
  if (issue.code === 'invalid_union') {
    const deepest = [...issue.errors].sort((a, b) => depthOf(b) - depthOf(a) || a.length - b.length)[0];
    if (deepest && depthOf(deepest) > 0) return deepest.flatMap((inner) => problemsOf(inner, path));
  }
  return [
    { pointer: pointerTo(path), code: issue.code.replaceAll('_', '-'), detail: sentence(issue.message) },
  ];
}

const depthOf = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(0, ...issues.map((issue) => issue.path.length));

const sentence = (message: string): string => (/[.!?]$/.test(message) ? message : `${message}.`);

/** The faults as one line for people: `/seeds/0: Invalid input: expected string. /x: …`. */
export function describeProblems(problems: readonly FieldProblem[], limit = 5): string {
  const shown = problems
    .slice(0, limit)
    .map((problem) => `${problem.pointer === '' ? '(whole)' : problem.pointer}: ${problem.detail}`);
  const rest = problems.length - shown.length;
  return rest > 0 ? `${shown.join(' ')} And ${rest} more.` : shown.join(' ');
}
