import { openInterpreter, type Interpreter } from '#shared/sandbox/index.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { AstNode, ParsedCode } from './ast.ts';
import { PROGRAM } from './program.ts';

/** Texts to one call of the interpreter: bounds its memory and the size of a message. */
const BATCH = 250;

let opened: Promise<Interpreter> | undefined;

/** One interpreter a process, opened when first needed; a failed opening is tried again. */
function interpreter(): Promise<Interpreter> {
  if (!opened) {
    opened = openInterpreter(PROGRAM);
    opened.catch(() => (opened = undefined));
  }
  return opened;
}

async function inBatches<From, To>(name: string, items: readonly From[]): Promise<To[]> {
  const out: To[] = [];
  for (let from = 0; from < items.length; from += BATCH) {
    const batch = items.slice(from, from + BATCH);
    out.push(...((await (await interpreter()).call(name, batch as Json[])) as unknown as To[]));
  }
  return out;
}

/**
 * Parses Python texts, in order: each its tree and its text unparsed, or the syntax error with its line. Nothing is
 * executed. Texts over 64 KiB and those nested too deeply are errors of their own.
 */
export const parseTools = (codes: readonly string[]): Promise<ParsedCode[]> => inBatches('parse', codes);

/** Python texts of trees (`Module` or any node), in order, as `ast.unparse` writes them. */
export const unparse = (trees: readonly AstNode[]): Promise<string[]> => inBatches('unparse', trees);

/** Ends the interpreter, if one is open: for tests and hosts that close. */
export async function closeAnalyser(): Promise<void> {
  const closing = opened;
  opened = undefined;
  await (await closing?.catch(() => undefined))?.close();
}
