import type { Json } from '#shared/storage/ports.ts';
import { MAX_DEFINITION_BYTES } from './limits.ts';
import type { Machine, ValidationResult } from './types.ts';
import { below, Diagnostics } from './validation/diagnostics.ts';
import { duplicateKeys } from './validation/duplicate-keys.ts';
import { isObject } from './validation/fields.ts';
import { readMachine } from './validation/machine.ts';

/** The result of validation, with the machine where there was nothing to report. */
export type Compilation = ValidationResult & { machine?: Machine };

/**
 * Validates and compiles a state machine (embedded-platform sections 2 to 5). Every problem is reported at once, with
 * its code and a JSON Pointer into the definition. Never throws, whatever the definition is.
 * @param definition - JSON text or a JSON value; a text is measured against the limit of 1 MiB as it is
 * @example
 * const { result, diagnostics, machine } = compile(await readFile('m.asl.json', 'utf8'));
 */
export function compile(definition: unknown): Compilation {
  const diagnostics = new Diagnostics();
  let machine: Machine | undefined;
  try {
    const value = definitionOf(definition, diagnostics);
    if (value) {
      checkPlaceholders(value, '', diagnostics);
      machine = readMachine(value, diagnostics);
    }
  } catch (error) {
    // The only way here is a definition nested so deeply that the stack ends.
    if (!(error instanceof RangeError)) throw error;
    diagnostics.schema('', 'The definition is nested too deeply');
  }
  const failed = diagnostics.list.length > 0;
  return {
    result: failed ? 'FAIL' : 'OK',
    diagnostics: diagnostics.list,
    ...(failed || !machine ? {} : { machine }),
  };
}

/** Section 5's result for a definition's text: what `agentmill states validate` prints. */
export function validateDefinitionText(text: string): ValidationResult {
  const { result, diagnostics } = compile(text);
  return { result, diagnostics };
}

function definitionOf(definition: unknown, diagnostics: Diagnostics): { [key: string]: Json } | undefined {
  let value: Json;
  try {
    const text = typeof definition === 'string' ? definition : (JSON.stringify(definition) ?? 'null');
    if (Buffer.byteLength(text, 'utf8') > MAX_DEFINITION_BYTES) {
      diagnostics.schema('', `The definition is larger than ${MAX_DEFINITION_BYTES} bytes`);
      return undefined;
    }
    value = JSON.parse(text) as Json;
    for (const pointer of typeof definition === 'string' ? duplicateKeys(text) : []) {
      diagnostics.schema(pointer, 'The same field is given twice');
    }
  } catch (error) {
    if (error instanceof RangeError) throw error;
    diagnostics.schema('', `The definition is not valid JSON: ${(error as Error).message}`);
    return undefined;
  }
  if (isObject(value)) return value;
  diagnostics.schema('', 'The definition must be a JSON object');
  return undefined;
}

const PLACEHOLDER = /\$\{[A-Za-z_][\w.:-]*\}/;

/** Reports every text that still holds a `${Name}`, but in comments. */
function checkPlaceholders(value: Json, pointer: string, diagnostics: Diagnostics): void {
  if (typeof value === 'string') {
    const found = PLACEHOLDER.exec(value)?.[0];
    if (found) diagnostics.schema(pointer, `The substitution '${found}' is not resolved`);
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => checkPlaceholders(item, below(pointer, index), diagnostics));
  } else if (value !== null && typeof value === 'object') {
    for (const [key, member] of Object.entries(value)) {
      if (key !== 'Comment') checkPlaceholders(member, below(pointer, key), diagnostics);
    }
  }
}
