import type { JsonSchema } from '../types.ts';

/** Types that a grammar can offer several of at once. */
const SIMPLE = new Set(['string', 'number', 'integer', 'boolean', 'null']);
/** Longer length limits make grammars slow; validation enforces them anyway. */
const MAX_LENGTH = 200;

/**
 * The part of a JSON Schema that node-llama-cpp can turn into a grammar: types, properties, items, enumerations,
 * constants, alternatives, references and short length limits. Everything else is left to validation, which is full.
 * In this dialect every property of an object is required and there are no others, whatever `required` says.
 * @returns undefined where no useful grammar is left (such as a schema that allows anything).
 */
export function grammarSchema(schema: unknown): JsonSchema | undefined {
  if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) return undefined;
  const node = schema as JsonSchema;
  const defs = grammarMembers(node.$defs);
  const made = core(node);
  return made && defs ? { ...made, $defs: defs } : made;
}

function core(node: JsonSchema): JsonSchema | undefined {
  if (typeof node.$ref === 'string')
    return node.$ref.startsWith('#/$defs/') ? { $ref: node.$ref } : undefined;
  if ('const' in node) return isScalar(node.const) ? { const: node.const } : undefined;
  if (Array.isArray(node.enum)) return node.enum.every(isScalar) ? { enum: node.enum } : undefined;
  const alternatives = node.oneOf ?? node.anyOf;
  if (Array.isArray(alternatives)) return oneOf(alternatives.map(grammarSchema));
  const { type } = node;
  if (Array.isArray(type)) {
    if (type.every((one) => SIMPLE.has(one as string))) return { type };
    return oneOf(type.map((one) => grammarSchema({ ...node, type: one })));
  }
  if (type === 'object') return objectSchema(node);
  if (type === 'array') return arraySchema(node);
  if (type === 'string') {
    const { minLength, maxLength } = node;
    return {
      type,
      ...(typeof minLength === 'number' && minLength <= MAX_LENGTH ? { minLength } : {}),
      ...(typeof maxLength === 'number' && maxLength <= MAX_LENGTH ? { maxLength } : {}),
    };
  }
  return typeof type === 'string' && SIMPLE.has(type) ? { type } : undefined;
}

const isScalar = (value: unknown): boolean =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

function oneOf(schemas: (JsonSchema | undefined)[]): JsonSchema | undefined {
  return schemas.length > 0 && schemas.every((schema) => schema !== undefined)
    ? { oneOf: schemas }
    : undefined;
}

/** More members that may be left out than this give too many alternatives: then all of them or none. */
const MAX_OPTIONAL = 4;

function objectSchema(node: JsonSchema): JsonSchema | undefined {
  const properties = node.properties === undefined ? {} : grammarMembers(node.properties);
  if (!properties) return undefined;
  const rest = grammarSchema(node.additionalProperties);
  const having = (without: readonly string[]): JsonSchema => ({
    type: 'object',
    properties: Object.fromEntries(Object.entries(properties).filter(([name]) => !without.includes(name))),
    // A grammar that lets a small model add members forever helps nobody; a map needs its values' schema.
    ...(rest ? { additionalProperties: rest } : {}),
  });
  // A grammar's members are all written, in their order: what may be left out is another alternative.
  const shapes = subsetsOf(optionalOf(node, Object.keys(properties)))
    .map(having)
    .filter((shape) => rest || Object.keys(shape.properties as object).length > 0);
  return shapes.length > 1 ? { oneOf: shapes } : (shapes[0] ?? having([]));
}

/** Members that mean something by their absence: those with a default may as well be written. */
function optionalOf({ properties, required }: JsonSchema, names: string[]): string[] {
  const needed = new Set(Array.isArray(required) ? required : []);
  return names.filter((name) => {
    const member = (properties as Record<string, unknown>)[name];
    return !needed.has(name) && !(member !== null && typeof member === 'object' && 'default' in member);
  });
}

/** What may be left out together, nothing first. */
function subsetsOf(names: string[]): string[][] {
  if (names.length > MAX_OPTIONAL) return [[], names];
  return Array.from({ length: 2 ** names.length }, (_, bits) =>
    names.filter((_name, at) => bits & (1 << at)),
  );
}

function arraySchema(node: JsonSchema): JsonSchema | undefined {
  const items = grammarSchema(node.items);
  if (!items) return undefined;
  const { minItems, maxItems } = node;
  return {
    type: 'array',
    items,
    ...(typeof minItems === 'number' && minItems <= MAX_LENGTH ? { minItems } : {}),
    ...(typeof maxItems === 'number' && maxItems <= MAX_LENGTH ? { maxItems } : {}),
  };
}

function grammarMembers(members: unknown): Record<string, JsonSchema> | undefined {
  if (members === null || typeof members !== 'object') return undefined;
  const out: Record<string, JsonSchema> = {};
  for (const [name, schema] of Object.entries(members)) {
    const made = grammarSchema(schema);
    if (!made) return undefined;
    out[name] = made;
  }
  return out;
}
