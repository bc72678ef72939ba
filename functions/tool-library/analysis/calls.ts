import { isNode, walk, type AstNode, type ModuleNode } from '../python/ast.ts';
import { functionNamed, functionsOf, parametersOf } from './functions.ts';
import { isLiteral, nodesOf } from './literals.ts';

/** What a call of a tool is (section 2): setup statements, then one expression with one call of one of its functions. */

export interface CallShape {
  /** The function of the tool that is called. */
  entry: string;
  /** The call itself, within `expression`. */
  call: AstNode;
  /** What is evaluated: the call, or an expression around it. */
  expression: AstNode;
  /** Statements before it. */
  setup: AstNode[];
  /** Arguments by parameter, names of the setup resolved to their literals. */
  arguments: Map<string, AstNode>;
}

const isCallOf = (node: AstNode, names: ReadonlySet<string>): boolean =>
  node._ === 'Call' && isNode(node.func) && node.func._ === 'Name' && names.has(String(node.func.id));

/**
 * Reads a call.
 * @param code the tool's tree; @param call the tree of the call's text.
 * @returns the shape, or in a sentence why it is none.
 */
export function readCall(code: ModuleNode, call: ModuleNode): CallShape | string {
  const names = new Set(functionsOf(code).map(({ name }) => String(name)));
  if (names.size === 0) return 'The code defines no function at its top level.';
  const last = call.body.at(-1);
  if (!last) return 'The call is empty.';
  const setup = call.body.slice(0, -1);
  if (setup.some((statement) => [...walk(statement)].some((node) => isCallOf(node, names)))) {
    return 'The setup calls a function of the code too: only the last statement may.';
  }
  const expression = expressionOf(last, names);
  if (!expression) return 'The last statement must be a call, `x = f(…)` or `print(f(…))`.';
  const calls = [...walk(expression)].filter((node) => isCallOf(node, names));
  const [only] = calls;
  if (!only || calls.length > 1) {
    const found = calls.length === 0 ? 'no call' : `${calls.length} calls`;
    return `The call has ${found} of a function of the code (${[...names].join(', ')}); it must have one.`;
  }
  const entry = String((only.func as AstNode).id);
  const values = setupValues(setup);
  const bound = bind(functionNamed(code, entry)!, only, values);
  if (typeof bound === 'string') return bound;
  return { entry, call: only, expression, setup, arguments: bound };
}

/** @param names functions of the code: one called `print` is not Python's. */
function expressionOf(statement: AstNode, names: ReadonlySet<string>): AstNode | undefined {
  if (statement._ === 'Assign' || (statement._ === 'AnnAssign' && isNode(statement.value))) {
    const targets = statement._ === 'Assign' ? nodesOf(statement.targets) : [statement.target as AstNode];
    return targets.length === 1 && targets[0]!._ === 'Name' ? (statement.value as AstNode) : undefined;
  }
  if (statement._ !== 'Expr' || !isNode(statement.value)) return undefined;
  const { value } = statement;
  if (isCallOf(value, new Set(['print'])) && !names.has('print')) {
    const args = nodesOf(value.args);
    return args.length === 1 && nodesOf(value.keywords).length === 0 ? args[0] : undefined;
  }
  return value;
}

/** What setup assigns: the literal of each name, null where it is no literal. */
function setupValues(setup: AstNode[]): Map<string, AstNode | null> {
  const values = new Map<string, AstNode | null>();
  for (const statement of setup) {
    for (const node of walk(statement)) {
      if (node._ === 'FunctionDef' || node._ === 'ClassDef') values.set(String(node.name), null);
      if (node._ !== 'Assign' && node._ !== 'AnnAssign' && node._ !== 'AugAssign' && node._ !== 'For')
        continue;
      const targets = node._ === 'Assign' ? nodesOf(node.targets) : [node.target as AstNode];
      for (const name of targets.flatMap((target) => [...walk(target)]).filter(({ _ }) => _ === 'Name')) {
        const plain = targets[0] === name && (node._ === 'Assign' || node._ === 'AnnAssign');
        const literal = plain && isNode(node.value) && isLiteral(node.value) ? node.value : null;
        values.set(String(name.id), literal);
      }
    }
  }
  return values;
}

function bind(
  fn: AstNode,
  call: AstNode,
  values: ReadonlyMap<string, AstNode | null>,
): Map<string, AstNode> | string {
  const parameters = parametersOf(fn);
  const bound = new Map<string, AstNode>();
  const set = (name: string, node: AstNode): string | undefined => {
    if (isLiteral(node)) bound.set(name, node);
    else if (node._ === 'Name' && values.has(String(node.id))) {
      const literal = values.get(String(node.id));
      if (literal) bound.set(name, literal);
    } else return `The argument ${name} is neither a literal nor a name of the setup.`;
    return undefined;
  };
  for (const [n, node] of nodesOf(call.args).entries()) {
    const problem = set(parameters[n]?.name ?? String(n), node);
    if (problem !== undefined) return problem;
  }
  for (const keyword of nodesOf(call.keywords)) {
    if (typeof keyword.arg !== 'string' || !isNode(keyword.value))
      return 'The call unpacks its arguments with **.';
    const problem = set(keyword.arg, keyword.value);
    if (problem !== undefined) return problem;
  }
  return bound;
}
