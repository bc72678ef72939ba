import fc from 'fast-check';
import type { JsonSchema } from '#shared/models/types.ts';

/**
 * The language of node-llama-cpp's JSON Schema dialect, written down a second time for tests: what texts a grammar made
 * from such a schema lets a model write. Strict: a keyword that the dialect does not have is an error here, where the
 * library would ignore it or take it for "anything".
 */

const KEYWORDS: Record<string, readonly string[]> = {
  string: ['type', 'minLength', 'maxLength'],
  number: ['type'],
  integer: ['type'],
  boolean: ['type'],
  null: ['type'],
  object: ['type', 'properties', 'additionalProperties'],
  array: ['type', 'items', 'minItems', 'maxItems'],
};
const SCALARS = ['string', 'number', 'integer', 'boolean', 'null'];

type Node =
  | { kind: 'ref'; name: string }
  | { kind: 'literals'; values: unknown[] }
  | { kind: 'alternatives'; schemas: JsonSchema[] }
  | { kind: 'scalars'; types: string[]; min: number; max: number }
  | { kind: 'object'; members: [string, JsonSchema][]; rest: JsonSchema | undefined }
  | { kind: 'array'; items: JsonSchema; min: number; max: number };

function nodeOf({ $defs: _defs, ...schema }: JsonSchema): Node {
  const only = (...allowed: string[]): void => {
    const unknown = Object.keys(schema).filter((key) => !allowed.includes(key));
    if (unknown.length > 0) throw new Error(`The dialect has no ${unknown.join(', ')} here.`);
  };
  const bound = (key: string, otherwise: number): number => {
    const value = schema[key] ?? otherwise;
    if (typeof value !== 'number') throw new Error(`${key} is no number.`);
    return value;
  };
  if ('$ref' in schema) {
    only('$ref');
    return { kind: 'ref', name: /^#\/\$defs\/(.+)$/.exec(schema.$ref as string)![1]! };
  }
  if ('oneOf' in schema) {
    only('oneOf');
    return { kind: 'alternatives', schemas: schema.oneOf as JsonSchema[] };
  }
  if ('const' in schema || 'enum' in schema) {
    only('const', 'enum');
    return { kind: 'literals', values: 'const' in schema ? [schema.const] : (schema.enum as unknown[]) };
  }
  const { type } = schema;
  if (Array.isArray(type)) {
    only('type');
    if (!type.every((one) => SCALARS.includes(one as string)))
      throw new Error('Only scalars stand together.');
    return { kind: 'scalars', types: type as string[], min: 0, max: Infinity };
  }
  const keywords = KEYWORDS[type as string];
  if (!keywords) throw new Error(`The dialect has no type ${String(type)}.`);
  only(...keywords);
  if (type === 'object') {
    const rest = schema.additionalProperties as JsonSchema | undefined;
    return { kind: 'object', members: Object.entries((schema.properties ?? {}) as object), rest };
  }
  if (type === 'array') {
    const items = schema.items as JsonSchema;
    return { kind: 'array', items, min: bound('minItems', 0), max: bound('maxItems', Infinity) };
  }
  return {
    kind: 'scalars',
    types: [type as string],
    min: bound('minLength', 0),
    max: bound('maxLength', Infinity),
  };
}

const STRING = /"((?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"/uy;
const UNIT = /\\u[0-9a-fA-F]{4}|\\.|./gsu;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const INTEGER = /-?(?:0|[1-9]\d*)/y;
const SPACE = /[ \t\n]*/y;

const matchAt = (pattern: RegExp, text: string, at: number): string | undefined => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
};
const spaceAfter = (text: string, at: number): number => at + matchAt(SPACE, text, at)!.length;

/** Whether a grammar of this schema lets a model write exactly this text. */
export function accepts(schema: JsonSchema, text: string): boolean {
  const defs = (schema.$defs ?? {}) as Record<string, JsonSchema>;

  const ends = (of: JsonSchema, at: number): Set<number> => {
    const node = nodeOf(of);
    switch (node.kind) {
      case 'ref':
        return ends(defs[node.name]!, at);
      case 'alternatives':
        return new Set(node.schemas.flatMap((one) => [...ends(one, at)]));
      case 'literals':
        return new Set(
          node.values
            .map((value) => JSON.stringify(value))
            .filter((literal) => text.startsWith(literal, at))
            .map((literal) => at + literal.length),
        );
      case 'scalars':
        return new Set(node.types.flatMap((type) => scalarEnds(type, at, node.min, node.max)));
      case 'array': {
        if (text[at] !== '[') return new Set();
        const inside = new Set([spaceAfter(text, at + 1)]);
        return closing(
          sequence(inside, node.min, node.max, (from) => ends(node.items, from)),
          ']',
        );
      }
      case 'object': {
        if (text[at] !== '{') return new Set();
        let here = new Set([spaceAfter(text, at + 1)]);
        node.members.forEach(([name, member], index) => {
          here = each(here, (from) => {
            const begin = index === 0 ? from : comma(from);
            return begin === undefined ? [] : memberEnds(JSON.stringify(name), member, begin);
          });
        });
        const { rest } = node;
        if (rest) {
          const begun = node.members.length > 0;
          const more = (from: number): Iterable<number> => {
            const key = matchAt(STRING, text, from);
            return key === undefined ? [] : memberEnds(key, rest, from);
          };
          here = new Set([...here, ...sequence(here, 1, Infinity, more, begun)]);
        }
        return closing(here, '}');
      }
    }
  };
  const memberEnds = (key: string, member: JsonSchema, at: number): Iterable<number> => {
    if (!text.startsWith(key, at)) return [];
    const colon = spaceAfter(text, at + key.length);
    return text[colon] === ':' ? ends(member, spaceAfter(text, colon + 1)) : [];
  };
  const comma = (at: number): number | undefined => {
    const found = spaceAfter(text, at);
    return text[found] === ',' ? spaceAfter(text, found + 1) : undefined;
  };
  /** Ends of `min` to `max` parts with commas between them; `begun`: before the first too. */
  const sequence = (
    from: Set<number>,
    min: number,
    max: number,
    part: (at: number) => Iterable<number>,
    begun = false,
  ): Set<number> => {
    const found = new Set<number>(min === 0 ? from : []);
    let here = from;
    for (let count = 1; count <= max && here.size > 0; count++) {
      here = each(here, (at) => {
        const begin = count === 1 && !begun ? at : comma(at);
        return begin === undefined ? [] : part(begin);
      });
      if (count >= min) for (const at of here) found.add(at);
    }
    return found;
  };
  const closing = (from: Set<number>, bracket: string): Set<number> =>
    each(from, (at) => {
      const end = spaceAfter(text, at);
      return text[end] === bracket ? [end + 1] : [];
    });
  const scalarEnds = (type: string, at: number, min: number, max: number): number[] => {
    const rest = (literal: string): number[] => (text.startsWith(literal, at) ? [at + literal.length] : []);
    if (type === 'null') return rest('null');
    if (type === 'boolean') return [...rest('true'), ...rest('false')];
    const found = matchAt(type === 'string' ? STRING : type === 'number' ? NUMBER : INTEGER, text, at);
    if (found === undefined) return [];
    const length = type === 'string' ? (found.slice(1, -1).match(UNIT) ?? []).length : 0;
    return type === 'string' && (length < min || length > max) ? [] : [at + found.length];
  };
  return ends(schema, 0).has(text.length);
}

function each(from: Set<number>, step: (at: number) => Iterable<number>): Set<number> {
  const ends = new Set<number>();
  for (const at of from) for (const end of step(at)) ends.add(end);
  return ends;
}

/** Values that a model may write under a grammar of this schema, as it writes them: `JSON.stringify` of these. */
export function writable(schema: JsonSchema): fc.Arbitrary<unknown> {
  const defs = (schema.$defs ?? {}) as Record<string, JsonSchema>;
  const of = (one: JsonSchema, depth: number): fc.Arbitrary<unknown> => {
    const node = nodeOf(one);
    switch (node.kind) {
      case 'ref':
        // What refers to itself ends in the first way to write it.
        return depth > 6 ? of(firstOf(defs[node.name]!), depth + 1) : of(defs[node.name]!, depth + 1);
      case 'alternatives':
        return fc.oneof(...node.schemas.map((each) => of(each, depth + 1)));
      case 'literals':
        return fc.constantFrom(...node.values);
      case 'scalars':
        return fc.oneof(...node.types.map((type) => scalarOf(type, node.min, node.max)));
      case 'array': {
        const maxLength = Math.max(node.min, Math.min(node.max, depth > 6 ? 0 : 3));
        return fc.array(of(node.items, depth + 1), { minLength: node.min, maxLength });
      }
      case 'object': {
        const known = fc.record(
          Object.fromEntries(node.members.map(([name, member]) => [name, of(member, depth + 1)])),
        );
        if (!node.rest) return known;
        const more = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), of(node.rest, depth + 1), {
          maxKeys: depth > 6 ? 0 : 2,
          noNullPrototype: true,
        });
        return fc.tuple(known, more).map(([a, b]) => ({ ...a, ...b, ...a }));
      }
    }
  };
  return of(schema, 0);
}

const firstOf = (schema: JsonSchema): JsonSchema =>
  Array.isArray(schema.oneOf) ? firstOf(schema.oneOf[0] as JsonSchema) : schema;

function scalarOf(type: string, min: number, max: number): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer();
    case 'number':
      return fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
    default: {
      const maxLength = Math.min(max, Math.max(min, 12));
      return fc.string({ unit: 'grapheme-ascii', minLength: min, maxLength });
    }
  }
}
