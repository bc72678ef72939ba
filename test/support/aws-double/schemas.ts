import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Any } from './types.ts';

/**
 * AWS's published schemas of CloudFormation resources, as the CDK command ships them for `cdk diff`: the properties of
 * each type, which are required, their types and allowed values, attributes, identifiers, and references between types.
 */

interface TypeSpec {
  type: 'string' | 'number' | 'integer' | 'boolean' | 'json' | 'array' | 'map' | 'ref' | 'union' | 'tag';
  element?: TypeSpec;
  types?: TypeSpec[];
  reference?: { $ref: string };
  allowedValues?: string[];
}

interface PropertySpec {
  type: TypeSpec;
  previousTypes?: TypeSpec[];
  required?: boolean;
  causesReplacement?: 'yes' | 'no' | 'maybe';
  relationshipRefs?: { cloudFormationType: string; propertyName: string }[];
}

export interface ResourceSchema {
  cloudFormationType: string;
  properties: Record<string, PropertySpec>;
  attributes: Record<string, PropertySpec>;
  primaryIdentifier?: string[];
  cfnRefIdentifier?: string[];
  arnTemplate?: string;
}

/** A reference that a schema declares: this value must be that attribute of a resource of one of these types. */
export interface Reference {
  path: string;
  value: string;
  targets: { cloudFormationType: string; propertyName: string }[];
}

const TAG: Record<string, PropertySpec> = {
  Key: { type: { type: 'string' }, required: true },
  Value: { type: { type: 'string' }, required: true },
};

const isObject = (value: Any): value is Record<string, Any> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class Schemas {
  private static loaded: Schemas | undefined;

  private readonly resources: Map<string, ResourceSchema>;
  private readonly definitions: Map<string, { name: string; properties: Record<string, PropertySpec> }>;

  private constructor() {
    const cli = dirname(fileURLToPath(import.meta.resolve('aws-cdk/package.json')));
    const { schema } = JSON.parse(gunzipSync(readFileSync(join(cli, 'db.json.gz'))).toString('utf8')) as Any;
    this.resources = new Map(schema.resource.entities.map((e: Any) => [e.cloudFormationType, e]));
    this.definitions = new Map(schema.typeDefinition.entities.map((e: Any) => [e.$id, e]));
  }

  /** Read once: it takes half a second. */
  static load(): Schemas {
    return (Schemas.loaded ??= new Schemas());
  }

  get(type: string): ResourceSchema | undefined {
    return this.resources.get(type);
  }

  /** What is wrong with evaluated properties of a type, and the references they hold. */
  check(type: string, properties: Record<string, Any>): { problems: string[]; references: Reference[] } {
    const problems: string[] = [];
    const references: Reference[] = [];
    this.object(this.resources.get(type)!.properties, properties, '', problems, references);
    return { problems, references };
  }

  private object(
    specs: Record<string, PropertySpec>,
    value: Record<string, Any>,
    path: string,
    problems: string[],
    references: Reference[],
  ): void {
    for (const [name, spec] of Object.entries(specs)) {
      if (spec.required && value[name] === undefined)
        problems.push(`required key [${path}/${name}] not found`);
    }
    for (const [name, item] of Object.entries(value)) {
      const spec = specs[name];
      if (!spec) {
        problems.push(`extraneous key [${name}] is not permitted at ${path || '/'}`);
        continue;
      }
      const found = [spec.type, ...(spec.previousTypes ?? [])].map((candidate) => {
        const attempt: { problems: string[]; references: Reference[] } = { problems: [], references: [] };
        this.value(candidate, item, `${path}/${name}`, attempt.problems, attempt.references);
        return attempt;
      });
      const best = found.find((attempt) => attempt.problems.length === 0) ?? found[0]!;
      problems.push(...best.problems);
      references.push(...best.references);
      if (spec.relationshipRefs) {
        for (const one of Array.isArray(item) ? item : [item]) {
          if (typeof one === 'string') {
            references.push({ path: `${path}/${name}`, value: one, targets: spec.relationshipRefs });
          }
        }
      }
    }
  }

  /** CloudFormation turns numbers and truth values into texts and back. */
  private value(spec: TypeSpec, value: Any, path: string, problems: string[], references: Reference[]): void {
    const expected = (what: string) =>
      problems.push(`${path}: expected type: ${what}, found: ${JSON.stringify(value)?.slice(0, 80)}`);
    const scalar = ['string', 'number', 'boolean'].includes(typeof value);
    switch (spec.type) {
      case 'string':
        if (!scalar) expected('String');
        else if (spec.allowedValues && !spec.allowedValues.includes(String(value))) {
          problems.push(`${path}: ${value} is not a valid enum value (${spec.allowedValues.join(', ')})`);
        }
        return;
      case 'integer':
        if (!scalar || !/^-?\d+$/.test(String(value))) expected('Integer');
        return;
      case 'number':
        if (!scalar || !Number.isFinite(Number(value))) expected('Number');
        return;
      case 'boolean':
        if (!['true', 'false'].includes(String(value))) expected('Boolean');
        return;
      case 'json':
        if (!isObject(value)) expected('JSONObject');
        return;
      case 'array':
        if (!Array.isArray(value)) expected('JSONArray');
        else
          value.forEach((item, n) => this.value(spec.element!, item, `${path}/${n}`, problems, references));
        return;
      case 'map':
        if (!isObject(value)) expected('JSONObject');
        else
          for (const [key, item] of Object.entries(value))
            this.value(spec.element!, item, `${path}/${key}`, problems, references);
        return;
      case 'tag':
        if (!isObject(value)) expected('JSONObject');
        else this.object(TAG, value, path, problems, references);
        return;
      case 'ref':
        if (!isObject(value)) expected('JSONObject');
        else
          this.object(
            this.definitions.get(spec.reference!.$ref)!.properties,
            value,
            path,
            problems,
            references,
          );
        return;
      case 'union': {
        const attempts = spec.types!.map((type) => {
          const attempt: { problems: string[]; references: Reference[] } = { problems: [], references: [] };
          this.value(type, value, path, attempt.problems, attempt.references);
          return attempt;
        });
        const best = attempts.find((attempt) => attempt.problems.length === 0) ?? attempts[0]!;
        problems.push(...best.problems);
        references.push(...best.references);
      }
    }
  }
}
