import type { Json } from '#shared/storage/ports.ts';
import { marksOf } from '../expression.ts';
import { below, type Diagnostics } from './diagnostics.ts';

export type JsonObject = { [key: string]: Json };
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields of JSONPath states, refused with advice instead of as merely unknown. */
const JSONPATH_FIELDS = new Set([
  'InputPath',
  'OutputPath',
  'ResultPath',
  'ResultSelector',
  'Parameters',
  'Result',
  'ItemsPath',
  'SecondsPath',
  'TimestampPath',
  'TimeoutSecondsPath',
  'HeartbeatSecondsPath',
  'ErrorPath',
  'CausePath',
  'Variable',
  'MaxConcurrencyPath',
  'ToleratedFailureCountPath',
  'ToleratedFailurePercentagePath',
  'MaxItemsPath',
  'MaxItemsPerBatchPath',
  'MaxInputBytesPerBatchPath',
  'ItemsPointerPath',
]);

/** Reads one object of a definition field by field and reports what is wrong with it. */
export class Fields {
  readonly object: JsonObject;
  readonly pointer: string;
  readonly diagnostics: Diagnostics;

  constructor(object: JsonObject, pointer: string, diagnostics: Diagnostics) {
    this.object = object;
    this.pointer = pointer;
    this.diagnostics = diagnostics;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  get(name: string): Json | undefined {
    return this.has(name) ? this.object[name] : undefined;
  }

  at(name: string): string {
    return below(this.pointer, name);
  }

  refuse(name: string, message: string): void {
    this.diagnostics.schema(this.at(name), message);
  }

  missing(name: string): void {
    this.diagnostics.schema(this.pointer, `The field '${name}' is required but was missing`);
  }

  /** Reports every field that is not among the names. */
  only(names: readonly string[]): void {
    for (const name of Object.keys(this.object)) {
      if (names.includes(name)) continue;
      const jsonPath = JSONPATH_FIELDS.has(name) || name.endsWith('.$');
      const advice = jsonPath ? ': it is JSONPath, and only JSONata is supported' : '';
      this.refuse(name, `Field '${name}' is not supported${advice}`);
    }
  }

  /** A text that is no expression. */
  text(name: string, options: { required?: boolean } = {}): string | undefined {
    const value = this.get(name);
    if (value === undefined) {
      if (options.required) this.missing(name);
      return undefined;
    }
    if (typeof value !== 'string') return this.fail(name, `Field '${name}' must be a string`);
    if (marksOf(value) !== 'literal')
      return this.fail(name, `Field '${name}' must be a constant, not an expression`);
    return value;
  }

  /** One of several words. */
  choice<T extends string>(
    name: string,
    words: readonly T[],
    options: { required?: boolean } = {},
  ): T | undefined {
    const value = this.text(name, options);
    if (value === undefined) return undefined;
    const word = words.find((one) => one === value);
    return word ?? this.fail(name, `Field '${name}' must be one of ${words.join(', ')}, but was '${value}'`);
  }

  /** A nested object, or undefined (reported) where it is something else. */
  child(name: string, options: { required?: boolean } = {}): Fields | undefined {
    const value = this.get(name);
    if (value === undefined) {
      if (options.required) this.missing(name);
      return undefined;
    }
    if (!isObject(value)) return this.fail(name, `Field '${name}' must be an object`);
    return new Fields(value, this.at(name), this.diagnostics);
  }

  /** The objects of a nested array; other elements are reported. */
  children(name: string, options: { required?: boolean; nonEmpty?: boolean } = {}): Fields[] {
    const value = this.get(name);
    if (value === undefined) {
      if (options.required) this.missing(name);
      return [];
    }
    if (!Array.isArray(value)) return this.fail(name, `Field '${name}' must be an array`) ?? [];
    if (options.nonEmpty && value.length === 0) this.refuse(name, `Field '${name}' must not be empty`);
    return value.flatMap((element, index) => {
      const pointer = below(this.at(name), index);
      if (isObject(element)) return [new Fields(element, pointer, this.diagnostics)];
      this.diagnostics.schema(pointer, `Every element of '${name}' must be an object`);
      return [];
    });
  }

  /** A literal number within a range, in a place where expressions are not allowed. */
  number(name: string, range: NumberRange): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const problem = numberProblem(value, range);
    return problem === undefined ? (value as number) : this.fail(name, `Field '${name}' ${problem}`);
  }

  fail(name: string, message: string): undefined {
    this.refuse(name, message);
    return undefined;
  }
}

export interface NumberRange {
  min: number;
  max: number;
  integer: boolean;
}

/** What is wrong with a literal, or undefined. */
export function numberProblem(value: unknown, range: NumberRange): string | undefined {
  const kind = range.integer ? 'an integer' : 'a number';
  const right =
    typeof value === 'number' && Number.isFinite(value) && (!range.integer || Number.isInteger(value));
  if (right && value >= range.min && value <= range.max) return undefined;
  const limits = range.max === Infinity ? `of at least ${range.min}` : `from ${range.min} to ${range.max}`;
  return `must be ${kind} ${limits}`;
}
