/**
 * Calls that need no compiler: a function's name and, in order, numbers, `True`, `False`, `None` and lists of these.
 * Many calls of tools are such, and compiling one costs more than all else around it. Texts are left to Python, which
 * interns those of a source.
 */

/** A call as it can be made without compiling it. */
export interface PlainCall {
  name: string;
  /** JSON of the list of arguments. Where it is none, the call is for the compiler after all. */
  args: string;
}

const NUMBER = /-?(?:0|[1-9]\d{0,99})(?:\.\d{1,99})?(?:[eE][-+]?\d{1,3})?(?![\w.])/.source;
/** Blanks stay where they are: two numbers side by side must not become one. */
const CALL = new RegExp(String.raw`^([A-Za-z_]\w*)\(((?:[ ,[\]]|${NUMBER}|True\b|False\b|None\b)*)\)$`);
const WORD = /True|False|None/g;
const JSON_OF: Record<string, string> = { True: 'true', False: 'false', None: 'null' };
/** Longer ones are seldom, and are compiled. */
const MAX_CHARS = 2_000;

/** The call, where it may be a plain one. */
export function plainCall(call: string): PlainCall | undefined {
  const parts = call.length > MAX_CHARS ? null : CALL.exec(call);
  if (!parts) return undefined;
  const [, name, body] = parts as unknown as [string, string, string];
  return { name, args: `[${body.replace(WORD, (word) => JSON_OF[word]!)}]` };
}
