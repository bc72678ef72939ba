import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { hashOf } from '#shared/determinism/hash.ts';
import { invalidInput } from '#shared/task/errors.ts';
import type { JsonSchema } from '../types.ts';

/** One fault of a value: where (JSON Pointer into it) and what. */
export interface OutputFault {
  path: string;
  message: string;
}

/** At most this many faults are reported. */
export const MAX_FAULTS = 5;
/** Compiled schemas that are kept. */
const MAX_KEPT = 512;

const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  // Two schemas may share an $id; none is referred to from another.
  addUsedSchema: false,
  coerceTypes: false,
  useDefaults: false,
});
formats.default(ajv);

const byHash = new Map<string, ValidateFunction>();
const byObject = new WeakMap<JsonSchema, ValidateFunction>();

/**
 * The validator of a JSON Schema (2020-12), compiled once a schema hash.
 * @throws InvalidInput when the schema itself is not usable.
 */
export function validatorOf(schema: JsonSchema): ValidateFunction {
  const same = byObject.get(schema);
  if (same) return same;
  const hash = hashOf(schema);
  let validate = byHash.get(hash);
  if (!validate) {
    try {
      validate = ajv.compile(structuredClone(schema));
    } catch (error) {
      throw invalidInput(
        `The output schema is not a usable JSON Schema 2020-12: ${(error as Error).message}`,
        { cause: error },
      );
    }
    if (byHash.size >= MAX_KEPT) byHash.delete(byHash.keys().next().value!);
    byHash.set(hash, validate);
  }
  byObject.set(schema, validate);
  return validate;
}

/** The faults of a value under a schema, at most 5; none when it is valid. Nothing is coerced or filled in. */
export function faultsOf(value: unknown, schema: JsonSchema): OutputFault[] {
  const validate = validatorOf(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).slice(0, MAX_FAULTS).map((error) => ({
    path: error.instancePath || '/',
    message: `${error.message ?? 'is not valid'}${detailOf(error.params)}`.slice(0, 300),
  }));
}

/** The property or the values that a message of ajv leaves out. */
function detailOf(params: Record<string, unknown>): string {
  if (typeof params.additionalProperty === 'string') return `: ${JSON.stringify(params.additionalProperty)}`;
  if (Array.isArray(params.allowedValues)) return `: ${JSON.stringify(params.allowedValues)}`;
  return '';
}
