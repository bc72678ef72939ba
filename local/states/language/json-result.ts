import type { Json } from '#shared/storage/ports.ts';
import { MAX_EVALUATION_BYTES } from './limits.ts';
import { DEPTH_EXCEEDED, MEMORY_EXCEEDED } from './bounds.ts';

/** A result of JSONata that has no JSON form. */
export class NotJson extends Error {
  override readonly name = 'NotJson';
  readonly found: string;
  constructor(found: string) {
    super(`A ${found} is not a JSON value.`);
    this.found = found;
  }
}

/** Deeper results cannot be printed as JSON text without exhausting the stack. */
const MAX_RESULT_DEPTH = 1_000;

/**
 * Turns what JSONata returned into plain JSON: sequences lose their marks, members that are undefined are left out,
 * undefined elements become null, and a number that JSON cannot write becomes its name, as in the service.
 * Values without anything of that kind are returned as they are, shared with the input.
 * @throws NotJson for functions and regular expressions; `{ message }` beyond a bound
 */
export function toJson(value: unknown): Json {
  let bytes = 0;
  const spend = (amount: number): void => {
    bytes += amount;
    if (bytes > MAX_EVALUATION_BYTES) throw { message: MEMORY_EXCEEDED };
  };

  const convert = (item: unknown, depth: number): Json => {
    if (depth > MAX_RESULT_DEPTH) throw { message: DEPTH_EXCEEDED };
    switch (typeof item) {
      case 'string':
        spend(item.length);
        return item;
      case 'number':
        spend(8);
        return Number.isFinite(item) ? item : String(item);
      case 'boolean':
        return item;
      case 'object':
        if (item === null) return null;
        return Array.isArray(item) ? array(item, depth) : object(item, depth);
      case 'undefined':
        return null;
      default:
        throw new NotJson(typeof item);
    }
  };

  const array = (items: unknown[], depth: number): Json[] => {
    const converted = items.map((item) => convert(item, depth + 1));
    const marked = Object.getOwnPropertyNames(items).length !== items.length + 1;
    return !marked && converted.every((item, index) => item === items[index]) ? (items as Json[]) : converted;
  };

  const object = (members: object, depth: number): Json => {
    if (isFunctionObject(members)) throw new NotJson('function');
    let changed = Object.getPrototypeOf(members) !== Object.prototype;
    const converted: [string, Json][] = [];
    for (const [key, member] of Object.entries(members) as [string, unknown][]) {
      if (member === undefined) {
        changed = true;
        continue;
      }
      spend(key.length);
      const json = convert(member, depth + 1);
      if (json !== member) changed = true;
      converted.push([key, json]);
    }
    return changed ? Object.fromEntries(converted) : (members as Json);
  };

  return convert(value, 0);
}

const isFunctionObject = (value: object): boolean =>
  (value as { _jsonata_function?: unknown })._jsonata_function === true ||
  (value as { _jsonata_lambda?: unknown })._jsonata_lambda === true;
