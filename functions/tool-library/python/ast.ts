/**
 * Python syntax trees as JSON, as `parseTools` gives them and `unparse` takes them: every field has the name Python's
 * `ast` module gives it, the class stands in `_`. Analysis, normalisation and refactoring are TypeScript over these.
 */

/** A value of a node's field: a node, several, or a plain word such as a name. */
export type AstField = AstNode | AstField[] | string | number | boolean | null | AstConstant;

/**
 * The value of a `Constant`. Python tells 1 from 1.0 and JSON does not, so floats are always tagged (`v` as Python's
 * `repr`), and integers beyond 2^53 too.
 */
export type AstConstant =
  | string
  | number
  | boolean
  | null
  | { $: 'int'; v: string }
  | { $: 'float'; v: string }
  | { $: 'complex'; v: string }
  | { $: 'bytes'; v: string }
  | { $: 'ellipsis' };

export interface AstNode {
  /** Class of the node: `BinOp`, `Name`, `FunctionDef`, … */
  _: string;
  /** Line from 1, where the node has one; columns are not kept. Ignored by `unparse`. */
  lineno?: number;
  [field: string]: AstField | undefined;
}

/** Root of a parsed text. */
export interface ModuleNode extends AstNode {
  _: 'Module';
  body: AstNode[];
}

export interface SyntaxProblem {
  /** Python's message, such as `'(' was never closed`. */
  message: string;
  /** From 1; 0 where Python names none. */
  line: number;
}

/** One text parsed: its tree, or why there is none. `code` is the tree unparsed, comments and layout gone. */
export type ParsedCode = { ok: true; ast: ModuleNode; code: string } | { ok: false; error: SyntaxProblem };

/** Most bytes of one text. */
export const MAX_CODE_BYTES = 65_536;

export const isNode = (value: unknown): value is AstNode =>
  typeof value === 'object' && value !== null && '_' in value && typeof value._ === 'string';

/** The nodes directly below, in the order of their fields. */
export function* childrenOf(node: AstNode): Generator<AstNode> {
  for (const [field, value] of Object.entries(node)) {
    if (field === 'value' && node._ === 'Constant') continue;
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) yield* nodesIn(value);
  }
}

function* nodesIn(values: AstField[]): Generator<AstNode> {
  for (const value of values) {
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) yield* nodesIn(value);
  }
}

/** A node and all below it, parents before children. */
export function* walk(node: AstNode): Generator<AstNode> {
  yield node;
  for (const child of childrenOf(node)) yield* walk(child);
}
