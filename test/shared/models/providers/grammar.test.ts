import { readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { codecOf } from '#shared/models/codecs/index.ts';
import { grammarSchema } from '#shared/models/providers/gguf-schema.ts';
import { outputSchema, type Role } from '#shared/models/role.ts';
import { faultsOf } from '#shared/models/structured-output/validate.ts';
import type { JsonSchema } from '#shared/models/types.ts';
import { accepts, writable } from './grammar.ts';
import { modelOf, requestOf } from './support.ts';

/** What each provider is handed to constrain decoding with, for every role of every workflow. */

const FUNCTIONS = join(import.meta.dirname, '../../../../functions');
const roles: Role[] = [];
beforeAll(async () => {
  for (const workflow of readdirSync(FUNCTIONS)) {
    const file = join(FUNCTIONS, workflow, 'roles.ts');
    if (existsSync(file)) roles.push(...((await import(file)) as { roles: Role[] }).roles);
  }
});
const schemaOf = (role: Role): JsonSchema => outputSchema(role);
/** Runs a property on every role's schema and the grammar's. */
function ofEveryRole(check: (schema: JsonSchema, grammar: JsonSchema) => void): void {
  expect(roles.length).toBeGreaterThan(20);
  for (const role of roles) {
    const schema = schemaOf(role);
    try {
      check(schema, grammarSchema(schema)!);
    } catch (error) {
      throw new Error(`${role.name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

const LEFT = [
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'maxItems',
  'propertyNames',
];
/** A schema without the keywords that are left to validation. */
function relaxed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(relaxed);
  if (schema === null || typeof schema !== 'object') return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => !LEFT.includes(key))
      .map(([key, value]) => {
        const named = key === 'properties' || key === '$defs';
        if (!named) return [key, relaxed(value)];
        return [
          key,
          Object.fromEntries(Object.entries(value as object).map(([name, one]) => [name, relaxed(one)])),
        ];
      }),
  );
}

/** Values that are valid under a full schema: members with a default written, others that may be left out in any mixture. */
function instancesOf(root: JsonSchema): fc.Arbitrary<unknown> {
  const of = (schema: JsonSchema, depth: number): fc.Arbitrary<unknown> => {
    if (typeof schema.$ref === 'string') {
      const name = schema.$ref.slice('#/$defs/'.length);
      return of((root.$defs as Record<string, JsonSchema>)[name]!, depth + 1);
    }
    if ('const' in schema) return fc.constant(schema.const);
    if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
    const alternatives = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
    if (alternatives) {
      const usable = depth > 4 ? alternatives.slice(0, 1) : alternatives;
      return fc.oneof(...usable.map((one) => of(one, depth + 1)));
    }
    if (Array.isArray(schema.type))
      return fc.oneof(...schema.type.map((type) => of({ ...schema, type: type as string }, depth)));
    const number = (key: string, otherwise: number): number =>
      (schema[key] as number | undefined) ?? otherwise;
    switch (schema.type) {
      case 'string':
        if (typeof schema.pattern === 'string') return fc.stringMatching(new RegExp(schema.pattern));
        return fc.string({
          minLength: number('minLength', 0),
          maxLength: Math.min(20, number('maxLength', 20)),
        });
      case 'integer':
        return fc.integer({ min: Math.max(-1000, number('minimum', 0)), max: 1000 });
      case 'number':
        return fc.integer({
          min: Math.ceil(number('minimum', number('exclusiveMinimum', 0) + 1)),
          max: number('maximum', 9),
        });
      case 'boolean':
        return fc.boolean();
      case 'null':
        return fc.constant(null);
      case 'array':
        return fc.array(of(schema.items as JsonSchema, depth + 1), { maxLength: 3 });
      case 'object': {
        const members = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
        const optional = members.filter(
          ([name, member]) =>
            !(schema.required as string[] | undefined)?.includes(name) && !('default' in member),
        );
        const made = fc.tuple(
          fc.subarray(optional.map(([name]) => name)),
          ...members.map(([, member]) => of(member, depth + 1)),
        );
        const known = made.map(([left, ...values]) =>
          Object.fromEntries(
            members.map(([name], at) => [name, values[at]] as const).filter(([name]) => !left.includes(name)),
          ),
        );
        const rest = schema.additionalProperties;
        if (rest === null || typeof rest !== 'object') {
          // Nothing at all is valid where nothing is required, and says nothing.
          return known.filter((value) => members.length === 0 || Object.keys(value).length > 0);
        }
        return fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), of(rest as JsonSchema, depth + 1), {
          maxKeys: 2,
          noNullPrototype: true,
        });
      }
      default:
        throw new Error(`no instances of ${JSON.stringify(schema)}`);
    }
  };
  return of(root, 0);
}

/** What a model without a grammar might write instead: one cut, one doubled, one changed. */
const corrupted = (text: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(text.length - 1), fc.constantFrom('', '"', '{', '}', ',', '0', 'null'))
    .map(([at, put]) => text.slice(0, at) + put + text.slice(at + 1));

describe('the grammar of a role’s schema', () => {
  it('[model-inference 13] lets a model write nothing but JSON that is valid, apart from what is left to validation', () => {
    ofEveryRole((schema, grammar) => {
      const lax = relaxed(schema) as JsonSchema;
      fc.assert(
        fc.property(writable(grammar), (value) => {
          expect(faultsOf(value, lax)).toEqual([]);
          for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)])
            expect(accepts(grammar, text)).toBe(true);
        }),
        { numRuns: 40, seed: 13 },
      );
    });
  });

  it('[model-inference 13] lets it write every valid answer, with and without what may be left out', () => {
    ofEveryRole((schema, grammar) => {
      fc.assert(
        fc.property(instancesOf(schema), (value) => {
          expect(faultsOf(value, schema)).toEqual([]);
          expect(accepts(grammar, JSON.stringify(value))).toBe(true);
        }),
        { numRuns: 40, seed: 13 },
      );
    });
  });

  it('[model-inference 13] keeps it from what is no valid answer', () => {
    ofEveryRole((schema, grammar) => {
      const lax = relaxed(schema) as JsonSchema;
      let refused = 0;
      fc.assert(
        fc.property(
          writable(grammar).chain((value) => corrupted(JSON.stringify(value))),
          (text) => {
            if (accepts(grammar, text)) expect(faultsOf(JSON.parse(text), lax)).toEqual([]);
            else refused++;
          },
        ),
        { numRuns: 40, seed: 13 },
      );
      expect(refused).toBeGreaterThan(0);
      if (schema.type !== 'object') return;
      for (const text of [
        '',
        'null',
        '[]',
        '"{}"',
        '{}x',
        '```json\n{}\n```',
        '{"other": 1}',
        '<think>{}</think>',
      ])
        expect(accepts(grammar, text)).toBe(false);
      fc.assert(
        fc.property(writable(grammar), (value) => {
          const [first] = Object.keys(value as object);
          const without = { ...(value as object), other: 1 };
          expect(accepts(grammar, JSON.stringify(without))).toBe(false);
          const wrong = { ...(value as object), [first!]: { no: ['such', 'type'] } };
          expect(accepts(grammar, JSON.stringify(wrong))).toBe(false);
        }),
        { numRuns: 10, seed: 13 },
      );
    });
  });

  it('makes alternatives of members that mean something by their absence', () => {
    const text = { type: 'string' };
    const grammar = grammarSchema({
      type: 'object',
      properties: { a: text, b: text, c: { ...text, default: '' } },
      required: ['a'],
    })!;
    expect(accepts(grammar, '{"a":"","b":"","c":""}')).toBe(true);
    expect(accepts(grammar, '{"a":"","c":""}')).toBe(true);
    expect(accepts(grammar, '{"a":"","b":""}')).toBe(false);
    const many = Object.fromEntries([...'abcdef'].map((name) => [name, text]));
    const all = JSON.stringify(Object.fromEntries([...'abcdef'].map((name) => [name, ''])));
    const wide = grammarSchema({ type: 'object', properties: many, required: ['a'] })!;
    expect([all, '{"a":""}', '{"a":"","b":""}'].map((one) => accepts(wide, one))).toEqual([
      true,
      true,
      false,
    ]);
    expect(accepts(grammarSchema({ type: 'object', properties: many })!, '{}')).toBe(false);
  });
});

describe('what endpoints are handed', () => {
  const sent = (entry: Record<string, unknown>, role: Role): Record<string, unknown> => {
    const model = modelOf({ features: { jsonSchema: true }, ...entry });
    const output = { name: role.name, schema: schemaOf(role) };
    return JSON.parse(JSON.stringify(codecOf(model).encode(requestOf({ output }), model))) as Record<
      string,
      unknown
    >;
  };
  const isClosed = (schema: unknown): boolean => {
    if (Array.isArray(schema)) return schema.every(isClosed);
    if (schema === null || typeof schema !== 'object') return true;
    const { type, properties = {}, required = [], additionalProperties } = schema as Record<string, never>;
    const open = type === 'object' && additionalProperties !== false;
    return (
      !open &&
      Object.keys(properties).every((name) => (required as string[]).includes(name)) &&
      Object.values(schema).every(isClosed)
    );
  };

  it('chat/completions: the whole schema under a name that every server takes, strict only where it is', () => {
    for (const role of roles) {
      const { response_format } = sent(
        { provider: 'openai', endpoint: { url: 'http://127.0.0.1:1/v1' } },
        role,
      ) as {
        response_format: { type: string; json_schema: { name: string; schema: JsonSchema; strict: boolean } };
      };
      expect(response_format.type).toBe('json_schema');
      const { name, schema, strict } = response_format.json_schema;
      expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
      expect(schema).toEqual(schemaOf(role));
      expect(strict).toBe(isClosed(schema));
    }
  });

  it('generate: the whole schema as its grammar', () => {
    const entry = {
      provider: 'sagemaker',
      codec: 'generate',
      chatTemplate: 'plain',
      endpoint: { name: 'e' },
    };
    for (const role of roles) {
      const { parameters } = sent(entry, role) as { parameters: { grammar: unknown } };
      expect(parameters.grammar).toEqual({ type: 'json', value: schemaOf(role) });
    }
  });

  it('none of it where the endpoint cannot constrain decoding', () => {
    const [role] = roles;
    const features = { jsonSchema: false };
    const openai = sent({ provider: 'openai', endpoint: { url: 'http://127.0.0.1:1/v1' }, features }, role!);
    expect(openai).not.toHaveProperty('response_format');
    const entry = {
      provider: 'sagemaker',
      codec: 'generate',
      chatTemplate: 'plain',
      endpoint: { name: 'e' },
    };
    expect(sent({ ...entry, features }, role!).parameters).not.toHaveProperty('grammar');
  });
});
