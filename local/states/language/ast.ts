/** JSONata's processed syntax tree, as much of it as is looked at here (jsonata 2.0.6, `expression.ast()`). */
export interface Node {
  type: string;
  value?: unknown;
  position?: number;
  steps?: Node[];
  stages?: Node[];
  predicate?: Node[];
  group?: { lhs: [Node, Node][] };
  lhs?: Node | [Node, Node][];
  rhs?: Node;
  expression?: Node;
  expressions?: Node[];
  arguments?: Node[];
  procedure?: Node;
  body?: Node;
  condition?: Node;
  then?: Node;
  else?: Node;
  terms?: { descending: boolean; expression: Node }[];
  pattern?: Node;
  update?: Node;
  delete?: Node;
  expr?: Node;
  focus?: string;
  index?: string;
  tuple?: unknown;
  keepArray?: boolean;
  keepSingletonArray?: boolean;
  consarray?: boolean;
}

/** What an expression refers to. */
export interface References {
  /** Every variable name it reads, functions included; `states` is not among them. */
  names: Set<string>;
  /** The names it reads and never binds itself: these must come from outside. */
  variables: Set<string>;
  /** Members of `$states` it reads by name, such as `result`. */
  statesMembers: Set<string>;
  /** True where it calls something that may be data: a path, the context, or a name it binds itself. */
  callsData: boolean;
  /** Names it calls, such as `sum` of `$sum(…)`. */
  called: Set<string>;
  /** `$`, `$$` and bare names used where there is no context: `$`, `$$` or the name. */
  topLevel: string[];
}

/** Walks a processed tree once and collects what it refers to. */
export function referencesOf(root: Node): References {
  const read = new Set<string>();
  const bound = new Set<string>();
  const statesMembers = new Set<string>();
  const topLevel: string[] = [];
  const called = new Set<string>();
  let callsPath = false;

  const all = (nodes: readonly (Node | undefined)[] | undefined, top: boolean): void => {
    for (const node of nodes ?? []) if (node) walk(node, top);
  };
  const pairs = (list: [Node, Node][] | undefined, top: boolean): void => {
    for (const [key, value] of list ?? []) all([key, value], top);
  };
  const decorations = (node: Node): void => {
    for (const stage of [...(node.stages ?? []), ...(node.predicate ?? [])]) {
      if (stage.expr) walk(stage.expr, false);
      if (stage.type === 'index' && typeof stage.value === 'string') bound.add(stage.value);
    }
    if (node.focus) bound.add(node.focus);
    if (node.index) bound.add(node.index);
    pairs(node.group?.lhs, false);
  };
  const variable = (name: unknown, top: boolean): void => {
    if (name === '') {
      if (top) topLevel.push('$');
    } else if (name === '$') {
      if (top) topLevel.push('$$');
    } else if (typeof name === 'string') read.add(name);
  };
  const path = (node: Node, top: boolean): void => {
    const [first, second] = node.steps ?? [];
    if (first?.type === 'variable' && first.value === 'states' && second?.type === 'name') {
      statesMembers.add(String(second.value));
    }
    node.steps?.forEach((step, index) => walk(step, index === 0 && top));
  };

  function walk(node: Node, top: boolean): void {
    decorations(node);
    switch (node.type) {
      case 'name':
        if (top) topLevel.push(String(node.value));
        return;
      case 'variable':
        return variable(node.value, top);
      case 'path':
        return path(node, top);
      case 'unary':
        all([node.expression, ...(node.expressions ?? [])], top);
        if (Array.isArray(node.lhs)) pairs(node.lhs, top);
        return;
      case 'bind':
        if (!Array.isArray(node.lhs) && typeof node.lhs?.value === 'string') bound.add(node.lhs.value);
        return all([node.rhs], top);
      case 'lambda':
        for (const parameter of node.arguments ?? []) bound.add(String(parameter.value));
        return all([node.body], top);
      case 'sort':
        return all(
          node.terms?.map((term) => term.expression),
          false,
        );
      case 'transform':
        all([node.pattern], false);
        return all([node.update, node.delete], false);
      default:
        if (node.procedure?.type === 'variable') called.add(String(node.procedure.value));
        else if (node.procedure) callsPath = true;
        if (!Array.isArray(node.lhs)) all([node.lhs], top);
        all([node.rhs, node.condition, node.then, node.else, node.procedure], top);
        all(node.expressions, top);
        all(node.arguments, top);
    }
  }

  walk(root, true);
  read.delete('states');
  const variables = new Set([...read].filter((name) => !bound.has(name)));
  const callsData = callsPath || [...called].some((name) => bound.has(name) || name === '' || name === '$');
  return {
    names: read,
    variables,
    callsData,
    called,
    statesMembers: bound.has('states') ? new Set() : statesMembers,
    topLevel,
  };
}
