import type { Json } from '#shared/storage/ports.ts';
import { isNode, type AstNode } from '../python/ast.ts';
import { docstringOf, readDocstring } from './docstring.ts';
import { parametersOf } from './functions.ts';
import { jsonOf, nodesOf } from './literals.ts';

/** JSON Schema of a tool's parameters, from its syntax tree alone (section 3). */

export type JsonSchema = Record<string, unknown>;

export interface ToolInterface {
  schema: JsonSchema;
  /** The docstring's first paragraph; '' where there is none. */
  description: string;
}

/**
 * Derives the schema of a function.
 * @param examples arguments that cases give it, by parameter: types of parameters without annotation.
 */
export function deriveInterface(
  fn: AstNode,
  examples: ReadonlyMap<string, readonly AstNode[]> = new Map(),
): ToolInterface {
  const docs = readDocstring(docstringOf(fn));
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const parameter of parametersOf(fn)) {
    const annotated = parameter.annotation && typeOf(parameter.annotation);
    const type = annotated?.schema ?? ofExamples(parameter, examples.get(parameter.name) ?? []);
    const fallback = parameter.default && jsonOf(parameter.default);
    const description = docs.parameters.get(parameter.name);
    properties[parameter.name] = {
      ...type,
      ...(description ? { description } : {}),
      ...(fallback === undefined || fallback === null ? {} : { default: fallback }),
    };
    if (!parameter.default && annotated?.optional !== true) required.push(parameter.name);
  }
  return {
    schema: { type: 'object', properties, required, additionalProperties: false },
    description: docs.summary,
  };
}

interface Type {
  /** Absent where the annotation says nothing of use. */
  schema?: JsonSchema;
  optional: boolean;
}

const PLAIN: Record<string, JsonSchema> = {
  str: { type: 'string' },
  int: { type: 'integer' },
  float: { type: 'number' },
  Number: { type: 'number' },
  Real: { type: 'number' },
  bool: { type: 'boolean' },
  list: { type: 'array', items: {} },
  tuple: { type: 'array', items: {} },
  set: { type: 'array', items: {}, uniqueItems: true },
  dict: { type: 'object' },
};
const GENERIC: Record<string, string> = {
  List: 'list', Sequence: 'list', Iterable: 'list', Collection: 'list', MutableSequence: 'list', Deque: 'list',
  Tuple: 'tuple', Set: 'set', FrozenSet: 'set', frozenset: 'set', Dict: 'dict', Mapping: 'dict',
  MutableMapping: 'dict', DefaultDict: 'dict',
}; // prettier-ignore

const lastName = (node: AstNode): string | undefined => {
  if (node._ === 'Name') return String(node.id);
  if (node._ === 'Attribute') return String(node.attr);
  return undefined;
};
const isNone = (node: AstNode): boolean =>
  (node._ === 'Constant' && node.value === null) || (node._ === 'Name' && node.id === 'None');

function typeOf(node: AstNode): Type {
  if (node._ === 'Constant' && typeof node.value === 'string') {
    // A type given as text: plain names are enough to read.
    return { ...withSchema(PLAIN[GENERIC[node.value] ?? node.value]), optional: false };
  }
  if (node._ === 'BinOp' && isNode(node.left) && isNode(node.right)) return union([...sides(node)]);
  if (node._ === 'Subscript' && isNode(node.value) && isNode(node.slice)) {
    return subscript(lastName(node.value) ?? '', node.slice);
  }
  const name = lastName(node);
  return { ...withSchema(name === undefined ? undefined : PLAIN[GENERIC[name] ?? name]), optional: false };
}

const withSchema = (schema: JsonSchema | undefined): { schema?: JsonSchema } => (schema ? { schema } : {});

/** The members of `A | B | C`. */
function* sides(node: AstNode): Generator<AstNode> {
  if (node._ === 'BinOp' && isNode(node.left) && isNode(node.right)) {
    yield* sides(node.left);
    yield* sides(node.right);
  } else yield node;
}

function union(members: AstNode[]): Type {
  const types = members.filter((member) => !isNone(member)).map(typeOf);
  const optional = types.length < members.length || types.some((type) => type.optional);
  if (types.some(({ schema }) => !schema)) return { optional };
  const schemas = distinct(types.map(({ schema }) => schema!));
  if (schemas.length === 1) return { schema: schemas[0]!, optional };
  if (schemas.every(({ type }) => type === 'integer' || type === 'number')) {
    return { schema: { type: 'number' }, optional };
  }
  return { schema: { anyOf: schemas }, optional };
}

const distinct = (schemas: JsonSchema[]): JsonSchema[] => [
  ...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values(),
];

function subscript(name: string, slice: AstNode): Type {
  const members = slice._ === 'Tuple' ? nodesOf(slice.elts) : [slice];
  if (name === 'Optional') return { ...union(members), optional: true };
  if (name === 'Union') return union(members);
  if (name === 'Annotated' || name === 'Final') return members[0] ? typeOf(members[0]) : { optional: false };
  if (name === 'Literal') {
    const values = members.map(jsonOf).filter((value) => value !== undefined && value !== null);
    const kinds = [...new Set(values.map(kindOf))];
    const schema: JsonSchema = kinds.length === 1 ? { type: kinds[0], enum: values } : { enum: values };
    return { ...withSchema(values.length > 0 ? schema : undefined), optional: members.some(isNone) };
  }
  const kind = GENERIC[name] ?? name;
  if (kind === 'dict') {
    const value = members[1] && typeOf(members[1]).schema;
    return { schema: { type: 'object', ...(value ? { additionalProperties: value } : {}) }, optional: false };
  }
  if (kind === 'list' || kind === 'tuple' || kind === 'set') {
    const inner = members.filter((member) => !isEllipsis(member));
    const items = union(inner).schema ?? {};
    const unique = kind === 'set' ? { uniqueItems: true } : {};
    return { schema: { type: 'array', items, ...unique }, optional: false };
  }
  return { optional: false };
}

const isEllipsis = (node: AstNode): boolean =>
  node._ === 'Constant' &&
  typeof node.value === 'object' &&
  node.value !== null &&
  '$' in node.value &&
  node.value.$ === 'ellipsis';

const kindOf = (value: Json): string => {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  if (typeof value === 'number') return 'number';
  return typeof value === 'object' ? 'object' : typeof value;
};

/** The type of what cases give, the default among it. A whole number says no more than that a number is wanted. */
function ofExamples(parameter: { default?: AstNode }, examples: readonly AstNode[]): JsonSchema {
  const values = [...examples, ...(parameter.default ? [parameter.default] : [])]
    .map(jsonOf)
    .filter((value) => value !== undefined && value !== null);
  const schemas = distinct(values.map(ofValue));
  if (schemas.length === 0) return { type: 'string' };
  return schemas.length === 1 ? schemas[0]! : { anyOf: schemas };
}

function ofValue(value: Json): JsonSchema {
  if (!Array.isArray(value)) return { type: kindOf(value) };
  const items = distinct(value.filter((item) => item !== null).map(ofValue));
  return {
    type: 'array',
    items: items.length === 1 ? items[0]! : items.length === 0 ? {} : { anyOf: items },
  };
}
