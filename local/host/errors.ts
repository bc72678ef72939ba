/** A failure Lambda itself reports, under the name that state machines match. */
export class FunctionError extends Error {
  override readonly name: string;

  constructor(name: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = name;
  }
}

/** What a task threw, as an Error: anything else is reported under its type's name, as Lambda's Node runtime does. */
export function thrownError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const text = typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown);
  return new FunctionError(typeof thrown, text, { cause: thrown });
}
