import { type AgentmillError, conflict, invalidInput } from '#shared/task/errors.ts';
import { printable } from './keys.ts';
import type {
  Condition,
  Json,
  RecordChange,
  RecordItem,
  RecordKey,
  RecordPut,
  RecordQuery,
  WriteOptions,
} from './ports.ts';

/** What every records adapter accepts: DynamoDB's limits, checked the same way before anything is written. */

export const MAX_ITEM_BYTES = 400 * 1024;
const MAX_PK_BYTES = 2048;
const MAX_SK_BYTES = 1024;
/** DynamoDB nests at most 32 levels deep. */
const MAX_DEPTH = 32;
/** Attributes the adapters themselves keep beside the caller's. */
export const RESERVED_ATTRIBUTES: ReadonlySet<string> = new Set([
  'pk',
  'sk',
  'v',
  'ttl',
  'gsi1pk',
  'gsi1sk',
  'gsi2pk',
  'gsi2sk',
]);

function checkKeyText(text: unknown, name: string, limit: number): void {
  if (typeof text !== 'string' || text.length === 0)
    throw invalidInput(`A record's ${name} must be a non-empty text.`);
  if (!text.isWellFormed() || text.includes('\0')) {
    throw invalidInput(`The ${name} "${printable(text)}" is not well-formed Unicode or contains NUL.`);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > limit)
    throw invalidInput(`The ${name} "${printable(text)}" has ${bytes} bytes, the limit is ${limit}.`);
}

/** @throws InvalidInput when a key is empty, too long or not Unicode. */
export function checkRecordKey(key: RecordKey, name = ''): void {
  checkKeyText(key.pk, `${name}pk`, MAX_PK_BYTES);
  checkKeyText(key.sk, `${name}sk`, MAX_SK_BYTES);
}

function checkTtl(ttl: number | undefined): void {
  if (ttl !== undefined && !(Number.isInteger(ttl) && ttl >= 0 && ttl < 2 ** 40)) {
    throw invalidInput(`ttl is ${String(ttl)}: give whole seconds since the epoch.`);
  }
}

/** @throws InvalidInput for a name DynamoDB or the adapters cannot store. */
export function checkAttributeName(name: string): void {
  if (name.length === 0 || !name.isWellFormed())
    throw invalidInput('An attribute has an empty or malformed name.');
  if (RESERVED_ATTRIBUTES.has(name) || name === '__proto__')
    throw invalidInput(`"${name}" is reserved: choose another attribute name.`);
}

/**
 * A copy of a value as a record keeps it: undefined members left out, lone surrogates replaced (U+FFFD).
 * @throws InvalidInput for what is no JSON, numbers DynamoDB cannot hold, and nesting over 32 levels.
 */
export function storableValue(value: unknown, name: string, depth = 1): Json {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  if (typeof value === 'number') {
    const size = Math.abs(value);
    if (size !== 0 && !(size >= 1e-130 && size < 1e126)) {
      throw invalidInput(
        `Attribute "${printable(name)}" holds ${value}: numbers must be 0 or within 1e-130 and 1e126.`,
      );
    }
    return value;
  }
  if (typeof value === 'object') {
    if (depth >= MAX_DEPTH)
      throw invalidInput(`Attribute "${printable(name)}" nests deeper than ${MAX_DEPTH} levels.`);
    if (Array.isArray(value)) return value.map((element) => storableValue(element, name, depth + 1));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      const copy: Record<string, Json> = {};
      for (const key of Object.keys(value)) {
        const member = (value as Record<string, unknown>)[key];
        if (member !== undefined) setOwn(copy, key.toWellFormed(), storableValue(member, name, depth + 1));
      }
      return copy;
    }
  }
  throw invalidInput(
    `Attribute "${printable(name)}" holds what is no JSON: only null, booleans, numbers, texts, arrays and plain objects are stored.`,
  );
}

/** Sets an object's own member, whatever its name. */
function setOwn(object: Record<string, Json>, key: string, value: Json): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

export function storableAttributes(attributes: Record<string, unknown>): Record<string, Json> {
  const copy: Record<string, Json> = {};
  for (const name of Object.keys(attributes)) {
    checkAttributeName(name);
    const value = attributes[name];
    if (value !== undefined) copy[name] = storableValue(value, name);
  }
  return copy;
}

/** @throws InvalidInput when the item passes 400 KB of JSON text, keys included. */
export function checkItemSize(key: RecordKey, attributesJson: string): void {
  const bytes = Buffer.byteLength(key.pk) + Buffer.byteLength(key.sk) + Buffer.byteLength(attributesJson);
  if (bytes > MAX_ITEM_BYTES) {
    throw invalidInput(
      `The record ${printable(key.pk)} / ${printable(key.sk)} has ${bytes} bytes, the limit is ${MAX_ITEM_BYTES}: put large values in an artifact.`,
    );
  }
}

export function checkPut(item: RecordPut): void {
  checkRecordKey(item);
  checkIndexesAndTtl(item);
}

function checkIndexesAndTtl(item: Pick<RecordPut, 'ttl' | 'g1' | 'g2'>): void {
  checkTtl(item.ttl);
  if (item.g1) checkRecordKey(item.g1, 'g1 ');
  if (item.g2) checkRecordKey(item.g2, 'g2 ');
}

/** @throws InvalidInput when a change touches one attribute twice, or adds what is no finite number. */
export function checkChange(key: RecordKey, change: RecordChange): void {
  checkRecordKey(key);
  checkIndexesAndTtl(change);
  const names = [
    ...Object.keys(change.set ?? {}),
    ...(change.remove ?? []),
    ...Object.keys(change.add ?? {}),
  ];
  for (const name of names) checkAttributeName(name);
  if (new Set(names).size !== names.length) {
    throw invalidInput('An update may name an attribute once only, in set, remove or add.');
  }
  for (const [name, value] of Object.entries(change.add ?? {})) {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw invalidInput(`add.${printable(name)} must be a finite number.`);
    }
  }
}

/** The attributes after a change; `add` starts from 0. */
export function applyChange(attributes: Record<string, Json>, change: RecordChange): Record<string, Json> {
  const next = { ...attributes, ...storableAttributes(change.set ?? {}) };
  for (const name of change.remove ?? []) delete next[name];
  for (const [name, amount] of Object.entries(change.add ?? {})) {
    const current = Object.hasOwn(next, name) ? next[name] : 0;
    if (typeof current !== 'number')
      throw invalidInput(`add: the attribute "${printable(name)}" is no number.`);
    next[name] = storableValue(current + amount, name);
  }
  return next;
}

/** @throws InvalidInput for an ordering of booleans, which has no meaning. */
export function checkCondition(condition: Condition): void {
  if ('all' in condition) return condition.all.forEach(checkCondition);
  checkAttributeName(condition.attribute);
  if ('exists' in condition) return;
  if (typeof condition.value === 'boolean' && condition.op !== '=' && condition.op !== '<>') {
    throw invalidInput(`A condition cannot order "${printable(condition.attribute)}" by a boolean.`);
  }
  storableValue(condition.value, condition.attribute);
}

/**
 * Whether a condition holds for an item, or for its absence. Comparisons hold only where the attribute exists; values
 * of different types are unequal and have no order.
 */
export function conditionHolds(condition: Condition, item: RecordItem | undefined): boolean {
  if ('all' in condition) return condition.all.every((part) => conditionHolds(part, item));
  const exists = item !== undefined && Object.hasOwn(item.attributes, condition.attribute);
  if ('exists' in condition) return exists === condition.exists;
  if (!exists) return false;
  const actual = item.attributes[condition.attribute];
  const { op, value } = condition;
  if (op === '=') return actual === value;
  if (op === '<>') return actual !== value;
  if (typeof actual === 'number' && typeof value === 'number') return ordered(op, actual - value);
  if (typeof actual === 'string' && typeof value === 'string') {
    return ordered(op, Buffer.compare(Buffer.from(actual), Buffer.from(value)));
  }
  return false;
}

function ordered(op: '<' | '<=' | '>' | '>=', difference: number): boolean {
  if (op === '<') return difference < 0;
  if (op === '<=') return difference <= 0;
  return op === '>' ? difference > 0 : difference >= 0;
}

const SK_OPERATORS = new Set(['=', '<', '<=', '>', '>=']);

/** Returns the page size. @throws InvalidInput for a malformed query. */
export function checkQuery(query: RecordQuery): number {
  checkKeyText(query.pk, 'query pk', MAX_PK_BYTES);
  if (query.index !== undefined && query.index !== 'g1' && query.index !== 'g2') {
    throw invalidInput(`There is no index "${printable(String(query.index))}": use g1 or g2.`);
  }
  const sk = query.sk;
  if (sk !== undefined) {
    const texts = 'prefix' in sk ? [sk.prefix] : 'between' in sk ? sk.between : [sk.value];
    for (const text of texts) checkKeyText(text, 'query sk', MAX_SK_BYTES);
    if ('op' in sk && !SK_OPERATORS.has(sk.op))
      throw invalidInput('A sort key is compared with =, <, <=, > or >=.');
  }
  const limit = query.limit ?? 100;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw invalidInput(`A query's limit is 1 to 1000, not ${String(limit)}.`);
  }
  return limit;
}

/** @throws InvalidInput for more keys or items than one call takes. */
export function checkBatch(count: number, limit: number, what: string): void {
  if (count > limit) throw invalidInput(`A batch takes at most ${limit} ${what}, not ${count}.`);
}

/** Why a write may not happen to the current item (or its absence), else undefined. */
export function preconditionProblem(
  options: WriteOptions,
  current: RecordItem | undefined,
): string | undefined {
  if (options.ifAbsent && current !== undefined) return 'it exists';
  if (options.ifVersion !== undefined && current?.version !== options.ifVersion) {
    return `it is ${current ? `at version ${current.version}` : 'absent'}, not at version ${options.ifVersion}`;
  }
  return options.condition && !conditionHolds(options.condition, current)
    ? 'its condition does not hold'
    : undefined;
}

/** The Conflict of a failed precondition, with the item as it is. */
export function recordConflict(key: RecordKey, why: string, current: RecordItem | undefined): AgentmillError {
  const name = `${printable(key.pk)} / ${printable(key.sk)}`;
  return conflict(`The record ${name} was not written: ${why}.`, { data: { current: current ?? null } });
}
