import { applyChange, conditionHolds } from '#shared/storage/record-rules.ts';
import type { RecordItem, RecordKey, RecordPut, Records, WriteOptions } from '#shared/storage/ports.ts';
import { conflict } from '#shared/task/errors.ts';

/** Records in memory, for tests of many small worlds; what it has of the port behaves as the adapters do. */
export function memoryRecords(): Records {
  const items = new Map<string, RecordItem>();
  const idOf = ({ pk, sk }: RecordKey): string => `${pk}\n${sk}`;
  const check = (key: RecordKey, options: WriteOptions = {}): RecordItem | undefined => {
    const current = items.get(idOf(key));
    if (
      (options.ifAbsent && current) ||
      (options.ifVersion !== undefined && current?.version !== options.ifVersion) ||
      (options.condition && !conditionHolds(options.condition, current))
    ) {
      throw conflict('refused', { data: { current: current ? structuredClone(current) : null } });
    }
    return current;
  };
  const write = (item: RecordPut, current: RecordItem | undefined): RecordItem => {
    const next = structuredClone({ ...item, version: (current?.version ?? 0) + 1 });
    items.set(idOf(item), next);
    return structuredClone(next);
  };
  return {
    get: async (key) => structuredClone(items.get(idOf(key))),
    put: async (item, options) => write(item, check(item, options)),
    update: async (key, change, options) => {
      const current = check(key, options);
      const g1 = change.g1 ?? current?.g1;
      const attributes = applyChange(current?.attributes ?? {}, change);
      return write({ ...key, attributes, ...(g1 ? { g1 } : {}) }, current);
    },
    async delete(key, options) {
      check(key, options);
      items.delete(idOf(key));
    },
    async query({ pk, sk }) {
      const prefix = sk && 'prefix' in sk ? sk.prefix : '';
      const found = [...items.values()].filter((item) => item.pk === pk && item.sk.startsWith(prefix));
      return { items: structuredClone(found.sort((a, b) => (a.sk < b.sk ? -1 : 1))) };
    },
    batchGet: async (keys) => keys.flatMap((key) => structuredClone(items.get(idOf(key))) ?? []),
    async batchPut(all) {
      for (const item of all) write(item, items.get(idOf(item)));
    },
  };
}
