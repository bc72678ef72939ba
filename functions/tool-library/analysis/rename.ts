import { isNode, walk, type AstField, type AstNode } from '../python/ast.ts';
import { nodesOf } from './literals.ts';

/**
 * Renaming what a module defines at its top, by Python's scopes: a parameter, a local, a method or a loop's variable of
 * the same name is another thing and keeps it.
 */

const FUNCTIONS = new Set(['FunctionDef', 'AsyncFunctionDef', 'Lambda']);
const COMPREHENSIONS = new Set(['ListComp', 'SetComp', 'DictComp', 'GeneratorExp']);
const DEFINITIONS = new Set(['FunctionDef', 'AsyncFunctionDef', 'ClassDef']);

/** A copy of a tree in which a function, and every use of it, is called otherwise. */
export function renameFunction<T extends AstNode>(tree: T, from: string, to: string): T {
  const uses = usesOf(tree, from);
  const copy = (node: AstNode): AstNode => {
    const out: AstNode = { _: node._ };
    for (const [field, value] of Object.entries(node)) {
      out[field] = node._ === 'Constant' && field === 'value' ? value : copyField(value);
    }
    if (!uses.has(node)) return out;
    if (node._ === 'Name') out.id = to;
    else if (node._ === 'Global') out.names = namesOf(node).map((name) => (name === from ? to : name));
    else out.name = to;
    return out;
  };
  const copyField = (value: AstField | undefined): AstField | undefined => {
    if (isNode(value)) return copy(value);
    return Array.isArray(value) ? value.map((item) => copyField(item) as AstNode) : value;
  };
  return copy(tree) as T;
}

/** The nodes of a tree that mean the module's `name`: uses of it, its definitions, `global name`. */
export function usesOf(tree: AstNode, name: string): Set<AstNode> {
  const uses = new Set<AstNode>();
  visit(tree, name, false, uses);
  return uses;
}

/** Every word of a tree that may be a name: what a new name must not be. */
export function wordsIn(...trees: readonly AstNode[]): Set<string> {
  const words = new Set<string>();
  for (const node of trees.flatMap((tree) => [...walk(tree)])) {
    if (node._ === 'Constant') continue;
    const { _: _class, ...fields } = node;
    for (const value of Object.values(fields).flat()) if (typeof value === 'string') words.add(value);
  }
  return words;
}

/** @param hidden whether an enclosing scope has a `name` of its own. */
function visit(node: AstNode, name: string, hidden: boolean, uses: Set<AstNode>): void {
  const all = (value: AstField | undefined, inner = hidden): void => {
    for (const child of isNode(value) ? [value] : nodesOf(value)) visit(child, name, inner, uses);
  };
  if (node._ === 'Name') {
    if (!hidden && node.id === name) uses.add(node);
    return;
  }
  if (node._ === 'Global' && namesOf(node).includes(name)) uses.add(node);
  if (DEFINITIONS.has(node._) && node.name === name && !hidden) uses.add(node);
  if (FUNCTIONS.has(node._)) {
    const { args } = node as { args?: AstNode };
    // Defaults, annotations and decorators are worked out around the function, not in it.
    all(node.decorator_list);
    all(node.returns);
    all(args);
    const inner = scopeOf(node, name);
    all(node.body, inner === 'outer' ? hidden : inner === 'own');
  } else if (node._ === 'ClassDef') {
    for (const field of [node.decorator_list, node.bases, node.keywords]) all(field);
    visitClass(nodesOf(node.body), name, hidden, uses);
  } else if (COMPREHENSIONS.has(node._)) {
    const generators = nodesOf(node.generators);
    const own = generators.some(({ target }) => targetsOf(target).includes(name));
    for (const [n, { target, iter, ifs }] of generators.entries()) {
      // The first source is worked out around the comprehension.
      all(iter, n === 0 ? hidden : hidden || own);
      all(target, hidden || own);
      all(ifs, hidden || own);
    }
    for (const field of [node.elt, node.key, node.value]) all(field, hidden || own);
  } else {
    for (const value of Object.values(node)) all(value);
  }
}

/** A class's names are seen by its statements, not by its methods. */
function visitClass(body: readonly AstNode[], name: string, hidden: boolean, uses: Set<AstNode>): void {
  const own = hidden || body.some((statement) => bindsIn(statement, name));
  for (const statement of body) {
    if (!FUNCTIONS.has(statement._)) visit(statement, name, own, uses);
    else visit(own === hidden ? statement : { ...statement, name: '' }, name, hidden, uses);
  }
}

const namesOf = (node: AstNode): string[] =>
  Array.isArray(node.names) ? node.names.filter((name) => typeof name === 'string') : [];

/** Whose `name` a function's body means: its own, the module's (`global`), or that of the scope around it. */
function scopeOf(fn: AstNode, name: string): 'own' | 'module' | 'outer' {
  const body = isNode(fn.body) ? [fn.body] : nodesOf(fn.body);
  const says = (kind: string): boolean =>
    body.some((statement) =>
      [...within(statement)].some((node) => node._ === kind && namesOf(node).includes(name)),
    );
  if (says('Global')) return 'module';
  if (says('Nonlocal')) return 'outer';
  const args = fn.args as AstNode;
  const parameters = [
    ...nodesOf(args.posonlyargs),
    ...nodesOf(args.args),
    ...nodesOf(args.kwonlyargs),
    ...[args.vararg, args.kwarg].filter(isNode),
  ];
  const own =
    parameters.some(({ arg }) => arg === name) || body.some((statement) => bindsIn(statement, name));
  return own ? 'own' : 'outer';
}

/** A node and those below it in the same scope: bodies of functions and classes are others. */
function* within(node: AstNode): Generator<AstNode> {
  yield node;
  if (FUNCTIONS.has(node._) || node._ === 'ClassDef') return;
  for (const value of Object.values(node)) {
    for (const child of isNode(value) ? [value] : nodesOf(value)) yield* within(child);
  }
}

/** Whether a statement gives `name` a value in its scope. */
function bindsIn(statement: AstNode, name: string): boolean {
  for (const node of within(statement)) {
    if (DEFINITIONS.has(node._) && node.name === name) return true;
    if (boundBy(node).includes(name)) return true;
  }
  return false;
}

function boundBy(node: AstNode): string[] {
  switch (node._) {
    case 'Assign':
    case 'Delete':
      return nodesOf(node.targets).flatMap(targetsOf);
    case 'AnnAssign':
    case 'AugAssign':
    case 'For':
    case 'AsyncFor':
    case 'NamedExpr':
      return targetsOf(node.target);
    case 'withitem':
      return targetsOf(node.optional_vars);
    case 'TypeAlias':
      return targetsOf(node.name);
    case 'Import':
    case 'ImportFrom':
      return nodesOf(node.names).map(({ name, asname }) => String(asname ?? String(name).split('.')[0]));
    case 'ExceptHandler':
    case 'MatchAs':
    case 'MatchStar':
      return typeof node.name === 'string' ? [node.name] : [];
    case 'MatchMapping':
      return typeof node.rest === 'string' ? [node.rest] : [];
    default:
      return [];
  }
}

function targetsOf(target: AstField | undefined): string[] {
  if (!isNode(target)) return [];
  if (target._ === 'Name') return [String(target.id)];
  if (target._ === 'Starred') return targetsOf(target.value);
  return target._ === 'Tuple' || target._ === 'List' ? nodesOf(target.elts).flatMap(targetsOf) : [];
}
