/** What a command shows and returns: text for people, data for programs. */
export interface Report<Data> {
  text: string;
  /** 0 ok, 1 failed, 2 unreachable, 3 unknown model (model-inference section 13). */
  exitCode: 0 | 1 | 2 | 3;
  data: Data;
}

/** Columns padded to their widest cell. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]!.length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The answer to a name that the registry does not have. */
export function unknownModel(
  name: string,
  known: Iterable<string>,
): Report<{ model: string; error: string }> {
  const error = `There is no model ${JSON.stringify(name)}. The registry has: ${[...known].join(', ')}.`;
  return { text: error, exitCode: 3, data: { model: name, error } };
}

/** The answer to a model that single requests cannot reach. */
export function notProbed(name: string, error: string): Report<{ model: string; error: string }> {
  return { text: error, exitCode: 1, data: { model: name, error } };
}

/** Codes that say nothing answered at all. */
export const isUnreachable = (code: string | undefined): boolean =>
  code === 'UNAVAILABLE' || code === 'TIMEOUT';

const HOPELESS = new Set([
  'AUTH',
  'NOT_FOUND',
  'QUOTA',
  'THROTTLED',
  'BAD_RESPONSE',
  'DEFECT',
  'PACKAGE_MISSING',
  'FILE_MISSING',
]);

/** Codes after which, at a first question, all others are in vain. */
export const isHopeless = (code: string | undefined): boolean =>
  isUnreachable(code) || HOPELESS.has(code ?? '');
