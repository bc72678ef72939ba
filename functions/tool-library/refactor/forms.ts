import type { CallShape } from '../analysis/calls.ts';
import type { AstNode, ModuleNode } from '../python/ast.ts';

/** What refactoring by anti-unification works on (specification section 6). Everything here is pure. */

export interface SourceCase {
  id: string;
  /** The call, read against the tool's code. */
  shape: CallShape;
  setup?: string;
}

/** An admitted tool with its parsed code and cases. */
export interface SourceTool {
  id: string;
  /** Its name as words tell them: what merged functions are named after. */
  name: string;
  entry: string;
  description: string;
  ast: ModuleNode;
  cases: SourceCase[];
  /** It was merged itself, in the version that a job extends: its docstring tells of its sources. */
  merged?: boolean;
}

/** What a function's docstring keeps of the functions it was merged from. */
export interface SourceWords {
  subjects: string[];
  /** By parameter: what sources called it, and how they spoke of it. */
  parameters: ReadonlyMap<string, { called: string[]; phrases: string[] }>;
}

/** A function in normal form: no docstrings, annotations, aliases of imports, nor temporaries. */
export interface NormalForm {
  toolId: string;
  name: string;
  parameters: { name: string; default?: AstNode; description?: string }[];
  /** Of a function that was merged itself. */
  words?: SourceWords;
  body: AstNode[];
  /** Names assigned in the body, in order of first assignment. */
  locals: string[];
  /** Modules the body or the support uses, `import x` each. */
  imports: string[];
  /** Definitions of the module that the body needs, in their order. */
  support: AstNode[];
  /** All arguments of all cases are numbers, so `+` commutes. */
  numeric: boolean;
}

/** A leaf of an expression that tools of one skeleton may differ in. */
export type Leaf = { kind: 'parameter'; name: string } | { kind: 'literal'; node: AstNode };

/** A normal form with its operands in order, and what is left of it without its leaves. */
export interface Skeleton extends NormalForm {
  /** The skeleton as text: holes are □, locals $n. */
  text: string;
  /** Leaves in the order of the holes. */
  leaves: Leaf[];
  /** Operators, calls and statements in it. */
  operators: number;
}

const literalKeys = new WeakMap<AstNode, string>();

/** A text that equal leaves have. */
export function leafKey(leaf: Leaf): string {
  if (leaf.kind === 'parameter') return `p ${leaf.name}`;
  let key = literalKeys.get(leaf.node);
  if (key === undefined) {
    key = `l ${JSON.stringify(stripLines(leaf.node))}`;
    literalKeys.set(leaf.node, key);
  }
  return key;
}

/** A node without line numbers and marks of ours. */
export function stripLines(node: AstNode): AstNode {
  const out: AstNode = { _: node._ };
  for (const [name, value] of Object.entries(node)) {
    if (name === 'lineno' || name === 'neutral') continue;
    out[name] =
      typeof value === 'object' && value !== null && '_' in value ? stripLines(value as AstNode) : value;
  }
  return out;
}
