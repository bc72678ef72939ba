import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Condition, RecordChange, RecordQuery, WriteOptions } from '../ports.ts';
import { storableAttributes } from '../record-rules.ts';
import { toAttributeValue } from './attribute-values.ts';

/** Index names and their key attributes; `v` and `ttl` stand beside the caller's attributes in every item. */
export const INDEXES = {
  g1: { name: 'gsi1', pk: 'gsi1pk', sk: 'gsi1sk' },
  g2: { name: 'gsi2', pk: 'gsi2pk', sk: 'gsi2sk' },
} as const;

/** Collects the placeholders of one request's expressions. */
export class Expressions {
  readonly #names = new Map<string, string>();
  readonly #values: Record<string, AttributeValue> = {};
  readonly #nowSeconds: number;
  #count = 0;

  constructor(nowSeconds: number) {
    this.#nowSeconds = nowSeconds;
  }

  name(attribute: string): string {
    const known = this.#names.get(attribute) ?? `#n${this.#names.size}`;
    this.#names.set(attribute, known);
    return known;
  }

  value(value: AttributeValue): string {
    const placeholder = `:v${this.#count++}`;
    this.#values[placeholder] = value;
    return placeholder;
  }

  /** Holds for an absent item and one that is not expired: DynamoDB deletes expired items only some time later. */
  unexpired(): string {
    return `(attribute_not_exists(${this.name('ttl')}) OR ${this.name('ttl')} > ${this.value({ N: String(this.#nowSeconds) })})`;
  }

  expired(): string {
    return `${this.name('ttl')} <= ${this.value({ N: String(this.#nowSeconds) })}`;
  }

  absent(): string {
    return `attribute_not_exists(${this.name('pk')})`;
  }

  version(version: number): string {
    return `${this.name('v')} = ${this.value({ N: String(version) })}`;
  }

  /** As `conditionHolds` of the rules: a comparison needs the attribute, also `<>`. */
  condition(condition: Condition): string | undefined {
    if ('all' in condition) {
      const parts = condition.all.flatMap((part) => this.condition(part) ?? []);
      return parts.length === 0 ? undefined : `(${parts.join(' AND ')})`;
    }
    const name = this.name(condition.attribute);
    if ('exists' in condition)
      return `${condition.exists ? 'attribute_exists' : 'attribute_not_exists'}(${name})`;
    const compared = `${name} ${condition.op} ${this.value(toAttributeValue(condition.value))}`;
    return condition.op === '<>' ? `(attribute_exists(${name}) AND ${compared})` : compared;
  }

  preconditions(options: WriteOptions): string {
    const parts = [this.unexpired()];
    if (options.ifAbsent) parts.push(this.absent());
    if (options.ifVersion !== undefined) parts.push(this.version(options.ifVersion));
    const condition = options.condition && this.condition(options.condition);
    if (condition !== undefined) parts.push(condition);
    return parts.join(' AND ');
  }

  /** Every write raises `v` by one. */
  update(change: RecordChange): string {
    const sets = Object.entries(storableAttributes(change.set ?? {})).map(([name, value]) =>
      this.#set(name, toAttributeValue(value)),
    );
    if (change.ttl !== undefined) sets.push(this.#set('ttl', { N: String(change.ttl) }));
    for (const index of ['g1', 'g2'] as const) {
      const key = change[index];
      if (key)
        sets.push(this.#set(INDEXES[index].pk, { S: key.pk }), this.#set(INDEXES[index].sk, { S: key.sk }));
    }
    const removes = (change.remove ?? []).map((name) => this.name(name));
    const adds = Object.entries({ ...change.add, v: 1 }).map(
      ([name, amount]) => `${this.name(name)} ${this.value({ N: String(amount) })}`,
    );
    return [
      sets.length > 0 ? `SET ${sets.join(', ')}` : '',
      removes.length > 0 ? `REMOVE ${removes.join(', ')}` : '',
      `ADD ${adds.join(', ')}`,
    ]
      .join(' ')
      .trim();
  }

  #set(name: string, value: AttributeValue): string {
    return `${this.name(name)} = ${this.value(value)}`;
  }

  keyCondition(query: RecordQuery): string {
    const { pk, sk } = query.index === undefined ? { pk: 'pk', sk: 'sk' } : INDEXES[query.index];
    const partition = `${this.name(pk)} = ${this.value({ S: query.pk })}`;
    if (query.sk === undefined) return partition;
    const name = this.name(sk);
    if ('prefix' in query.sk)
      return `${partition} AND begins_with(${name}, ${this.value({ S: query.sk.prefix })})`;
    if ('between' in query.sk) {
      const [low, high] = query.sk.between;
      return `${partition} AND ${name} BETWEEN ${this.value({ S: low })} AND ${this.value({ S: high })}`;
    }
    return `${partition} AND ${name} ${query.sk.op} ${this.value({ S: query.sk.value })}`;
  }

  /** The maps that go with the expressions. */
  get maps(): {
    ExpressionAttributeNames?: Record<string, string>;
    ExpressionAttributeValues?: Record<string, AttributeValue>;
  } {
    return {
      ...(this.#names.size === 0
        ? {}
        : {
            ExpressionAttributeNames: Object.fromEntries(
              [...this.#names].map(([name, placeholder]) => [placeholder, name]),
            ),
          }),
      ...(this.#count === 0 ? {} : { ExpressionAttributeValues: this.#values }),
    };
  }
}
