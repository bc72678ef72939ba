import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordItem, Records } from '#shared/storage/ports.ts';
import { failure } from './support.ts';

export interface RecordsUnderTest {
  records: Records;
  /** Moves the adapter's clock. */
  advance(ms: number): void;
  now(): number;
  /** An emulator that loses members named `__proto__` (dynalite); DynamoDB and the SDK keep them. */
  losesProto?: boolean;
  close(): Promise<void>;
}

/** What every adapter of the records port does (embedded-platform section 9). */
export function recordsContract(adapter: string, make: () => Promise<RecordsUnderTest>): void {
  describe(`records: ${adapter}`, () => {
    let under: RecordsUnderTest;
    let records: Records;
    let serial = 0;
    const fresh = (): string => `P#${++serial}`;
    const keysOf = (items: RecordItem[]): string[] => items.map(({ sk }) => sk);

    beforeAll(async () => {
      under = await make();
      records = under.records;
    });
    afterAll(() => under.close());

    it('round-trips nested values, numbers and empty texts', async () => {
      const key = { pk: fresh(), sk: 'META' };
      const attributes = {
        text: '',
        unicode: 'жук 🪲 \u0000\n"quoted"',
        integer: 9_007_199_254_740_991,
        beyond: 2 ** 60,
        fraction: -0.000_123,
        large: 1.5e100,
        nothing: null,
        yes: true,
        list: [1, 'two', [], {}, [null, { deep: [false] }]],
        map: JSON.parse(
          under.losesProto ? '{"a":{"b":{"c":1}}}' : '{"a":{"b":{"c":1}},"__proto__":{"kept":true}}',
        ) as never,
      };
      const written = await records.put({ ...key, attributes, g1: { pk: 'G', sk: 'a' }, ttl: 4_102_444_800 });
      const item = { ...key, attributes, version: 1, g1: { pk: 'G', sk: 'a' }, ttl: 4_102_444_800 };
      expect(written).toEqual(item);
      const read = await records.get(key);
      expect(read).toEqual(item);
      expect(JSON.stringify(read!.attributes['map'])).toBe(JSON.stringify(attributes.map));
    });

    it('replaces the whole item and raises the version', async () => {
      const key = { pk: fresh(), sk: 's' };
      await records.put({ ...key, attributes: { a: 1, b: 2 }, g1: { pk: 'x', sk: 'y' } });
      expect(await records.put({ ...key, attributes: { c: 3 } })).toEqual({
        ...key,
        attributes: { c: 3 },
        version: 2,
      });
      expect(await records.get(key)).toEqual({ ...key, attributes: { c: 3 }, version: 2 });
    });

    it('leaves undefined out and makes texts well-formed', async () => {
      const key = { pk: fresh(), sk: 's' };
      const attributes = { a: 'x\ud800y', b: undefined, c: { d: undefined, e: 1 } } as never;
      expect((await records.put({ ...key, attributes })).attributes).toEqual({ a: 'x\ufffdy', c: { e: 1 } });
      expect((await records.get(key))!.attributes).toEqual({ a: 'x\ufffdy', c: { e: 1 } });
    });

    it('answers undefined for what is not there', async () => {
      expect(await records.get({ pk: fresh(), sk: 'none' })).toBeUndefined();
    });

    it('if-absent: writes once and returns the current item with the conflict', async () => {
      const key = { pk: fresh(), sk: 's' };
      const first = await records.put({ ...key, attributes: { n: 1 } }, { ifAbsent: true });
      const refused = await failure(
        records.put({ ...key, attributes: { n: 2 } }, { ifAbsent: true }),
        'Conflict',
      );
      expect(refused.data['current']).toEqual(first);
      expect(
        (await failure(records.update(key, { set: { n: 3 } }, { ifAbsent: true }), 'Conflict')).data,
      ).toEqual({ current: first });
    });

    it('if-absent: one winner of twenty', async () => {
      const key = { pk: fresh(), sk: 's' };
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => records.put({ ...key, attributes: { n } }, { ifAbsent: true })),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    it('if-version: fresh succeeds, stale and absent conflict', async () => {
      const key = { pk: fresh(), sk: 's' };
      await records.put({ ...key, attributes: { n: 1 } });
      const second = await records.put({ ...key, attributes: { n: 2 } }, { ifVersion: 1 });
      expect(second.version).toBe(2);
      expect(
        (await failure(records.put({ ...key, attributes: {} }, { ifVersion: 1 }), 'Conflict')).data,
      ).toEqual({ current: second });
      await failure(records.update(key, { add: { n: 1 } }, { ifVersion: 7 }), 'Conflict');
      await failure(records.delete(key, { ifVersion: 1 }), 'Conflict');
      expect(
        (await failure(records.put({ pk: fresh(), sk: 'x', attributes: {} }, { ifVersion: 1 }), 'Conflict'))
          .data,
      ).toEqual({ current: null });
      await records.delete(key, { ifVersion: 2 });
      expect(await records.get(key)).toBeUndefined();
    });

    it('conditions hold on attributes of the current item', async () => {
      const key = { pk: fresh(), sk: 's' };
      const current = await records.put({ ...key, attributes: { left: 10, name: 'b', on: true, list: [1] } });
      const holds = async (condition: Parameters<Records['delete']>[1] & object): Promise<boolean> =>
        records.update(key, { set: { touched: 1 } }, condition).then(
          () => true,
          () => false,
        );
      expect(await holds({ condition: { attribute: 'left', op: '>=', value: 10 } })).toBe(true);
      expect(await holds({ condition: { attribute: 'left', op: '>', value: 10 } })).toBe(false);
      expect(await holds({ condition: { attribute: 'left', op: '<', value: '11' } })).toBe(false);
      expect(await holds({ condition: { attribute: 'left', op: '<>', value: '10' } })).toBe(true);
      expect(await holds({ condition: { attribute: 'name', op: '<', value: 'c' } })).toBe(true);
      expect(await holds({ condition: { attribute: 'on', op: '=', value: true } })).toBe(true);
      expect(await holds({ condition: { attribute: 'gone', op: '<>', value: 1 } })).toBe(false);
      expect(await holds({ condition: { attribute: 'gone', exists: false } })).toBe(true);
      expect(await holds({ condition: { attribute: 'list', exists: true } })).toBe(true);
      expect(await holds({ condition: { all: [] } })).toBe(true);
      expect(
        await holds({
          condition: {
            all: [
              { attribute: 'left', op: '=', value: 10 },
              { attribute: 'name', op: '=', value: 'x' },
            ],
          },
        }),
      ).toBe(false);
      const refused = await failure(
        records.put({ ...key, attributes: {} }, { condition: { attribute: 'left', op: '<', value: 1 } }),
        'Conflict',
      );
      expect(refused.data['current']).toMatchObject({ attributes: current.attributes });
    });

    it('conditions on an absent item: only absence of an attribute holds', async () => {
      const key = { pk: fresh(), sk: 's' };
      await failure(
        records.put({ ...key, attributes: {} }, { condition: { attribute: 'a', op: '=', value: 1 } }),
        'Conflict',
      );
      await failure(
        records.update(key, { set: { b: 1 } }, { condition: { attribute: 'a', exists: true } }),
        'Conflict',
      );
      expect(
        (await records.update(key, { set: { b: 1 } }, { condition: { attribute: 'a', exists: false } }))
          .version,
      ).toBe(1);
    });

    it('counts 100 concurrent increments', async () => {
      const key = { pk: fresh(), sk: 'COUNT' };
      await Promise.all(Array.from({ length: 100 }, () => records.update(key, { add: { n: 1, twice: 2 } })));
      expect(await records.get(key)).toEqual({ ...key, attributes: { n: 100, twice: 200 }, version: 100 });
    });

    it('a conditional counter never passes its cap', async () => {
      const key = { pk: fresh(), sk: 'SPEND' };
      await records.put({ ...key, attributes: { left: 10 } });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 25 }, () =>
          records.update(
            key,
            { add: { left: -1 } },
            { condition: { attribute: 'left', op: '>=', value: 1 } },
          ),
        ),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      expect((await records.get(key))!.attributes).toEqual({ left: 0 });
    });

    it('sets, removes and adds top-level attributes, keeping the rest', async () => {
      const key = { pk: fresh(), sk: 's' };
      await records.put({
        ...key,
        attributes: { a: 1, b: 2, c: { d: 1 } },
        ttl: 4_102_444_800,
        g2: { pk: 'g', sk: 'h' },
      });
      const updated = await records.update(key, {
        set: { a: { x: [1] } },
        remove: ['b', 'never'],
        add: { n: -5 },
      });
      expect(updated).toEqual({
        ...key,
        attributes: { a: { x: [1] }, c: { d: 1 }, n: -5 },
        version: 2,
        ttl: 4_102_444_800,
        g2: { pk: 'g', sk: 'h' },
      });
      expect(await records.get(key)).toEqual(updated);
    });

    it('refuses changes that make no sense', async () => {
      const key = { pk: fresh(), sk: 's' };
      await records.put({ ...key, attributes: { text: 'a' } });
      await failure(records.update(key, { set: { a: 1 }, add: { a: 1 } }), 'InvalidInput');
      await failure(records.update(key, { add: { text: 1 } }), 'InvalidInput');
      await failure(records.update(key, { add: { n: Number.NaN } }), 'InvalidInput');
      await failure(records.update(key, { set: { v: 1 } }), 'InvalidInput');
      await failure(records.put({ ...key, attributes: { n: Number.POSITIVE_INFINITY } }), 'InvalidInput');
      await failure(records.put({ ...key, attributes: { d: new Date(0) as never } }), 'InvalidInput');
      await failure(records.put({ pk: '', sk: 's', attributes: {} }), 'InvalidInput');
      await failure(records.put({ pk: 'p', sk: 'x'.repeat(1025), attributes: {} }), 'InvalidInput');
      await failure(records.get({ pk: 'a\ud800', sk: 's' }), 'InvalidInput');
      expect((await records.get(key))!.version).toBe(1);
    });

    it('deletes, also what is not there', async () => {
      const key = { pk: fresh(), sk: 's' };
      await records.put({ ...key, attributes: {} });
      await records.delete(key);
      await records.delete(key);
      expect(await records.get(key)).toBeUndefined();
    });

    describe('queries', () => {
      const pk = 'Q#1';
      const all = ['A#1', 'A#10', 'A#2', 'B#1', 'B#2', 'a', 'é', '\uffee', '🪲'];
      beforeAll(async () => {
        for (const sk of all.toReversed()) await records.put({ pk, sk, attributes: { own: sk } });
      });

      it('in byte order, ascending and descending', async () => {
        expect(keysOf((await records.query({ pk })).items)).toEqual(all);
        expect(keysOf((await records.query({ pk, descending: true })).items)).toEqual(all.toReversed());
      });

      it('by prefix, between and comparison', async () => {
        const found = async (sk: Parameters<Records['query']>[0]['sk'] & object): Promise<string[]> =>
          keysOf((await records.query({ pk, sk })).items);
        expect(await found({ prefix: 'A#1' })).toEqual(['A#1', 'A#10']);
        expect(await found({ between: ['A#10', 'B#1'] })).toEqual(['A#10', 'A#2', 'B#1']);
        expect(await found({ op: '=', value: 'B#2' })).toEqual(['B#2']);
        expect(await found({ op: '<', value: 'A#2' })).toEqual(['A#1', 'A#10']);
        expect(await found({ op: '>=', value: 'é' })).toEqual(['é', '\uffee', '🪲']);
        expect(await found({ prefix: 'none' })).toEqual([]);
      });

      it.each([false, true])('page by cursor (descending: %s)', async (descending) => {
        const seen: string[] = [];
        let pages = 0;
        for (let cursor: string | undefined; pages === 0 || cursor !== undefined; pages++) {
          const page = await records.query({
            pk,
            limit: 4,
            descending,
            ...(cursor === undefined ? {} : { cursor }),
          });
          seen.push(...keysOf(page.items));
          cursor = page.cursor;
        }
        expect(seen).toEqual(descending ? all.toReversed() : all);
        expect(pages).toBe(3);
      });

      it('a full last page has no cursor', async () => {
        expect((await records.query({ pk, limit: all.length })).cursor).toBeUndefined();
      });

      it('refuse foreign and broken cursors', async () => {
        const { cursor } = await records.query({ pk, limit: 1 });
        await failure(records.query({ pk: 'Q#2', cursor: cursor! }), 'InvalidInput');
        await failure(records.query({ pk, index: 'g1', cursor: cursor! }), 'InvalidInput');
        for (const broken of ['', 'x', '%%%', Buffer.from('[1,2]').toString('base64url')]) {
          await failure(records.query({ pk, cursor: broken }), 'InvalidInput');
        }
        await failure(records.query({ pk, limit: 0 }), 'InvalidInput');
        await failure(records.query({ pk, limit: 1001 }), 'InvalidInput');
      });
    });

    it.each(['g1', 'g2'] as const)('index %s: order, ties, paging, moving and leaving', async (index) => {
      const owner = fresh();
      for (const n of [3, 1, 2]) {
        await records.put({
          pk: `J#${owner}#${n}`,
          sk: 'META',
          attributes: { n },
          [index]: { pk: owner, sk: n === 3 ? 'b' : 'a' },
        });
      }
      const seen: unknown[] = [];
      await expect.poll(async () => (await records.query({ index, pk: owner })).items.length).toBe(3);
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const page = await records.query({
          index,
          pk: owner,
          limit: 1,
          ...(cursor === undefined ? {} : { cursor }),
        });
        seen.push(...page.items.map(({ attributes }) => attributes['n']));
        cursor = page.cursor;
      }
      expect(seen.toSorted()).toEqual([1, 2, 3]);
      expect(seen.at(-1)).toBe(3);
      expect((await records.query({ index, pk: owner, sk: { prefix: 'b' } })).items[0]!.attributes).toEqual({
        n: 3,
      });

      await records.update({ pk: `J#${owner}#3`, sk: 'META' }, { [index]: { pk: owner, sk: '0' } });
      await expect
        .poll(async () => (await records.query({ index, pk: owner, limit: 1 })).items[0]?.attributes['n'])
        .toBe(3);
      await records.put({ pk: `J#${owner}#3`, sk: 'META', attributes: {} });
      await expect.poll(async () => (await records.query({ index, pk: owner })).items.length).toBe(2);
    });

    it('batches: gets in the order asked for, without what is missing; puts up to 25', async () => {
      const pk = fresh();
      const items = Array.from({ length: 25 }, (_, n) => ({ pk, sk: `s${n}`, attributes: { n } }));
      await records.batchPut(items);
      await records.batchPut([{ pk, sk: 's3', attributes: { n: 'again' } }]);
      const keys = ['s9', 's3', 'gone', 's9', 's0'].map((sk) => ({ pk, sk }));
      const found = await records.batchGet(keys);
      expect(found.map(({ sk, version }) => [sk, version])).toEqual([
        ['s9', 1],
        ['s3', 2],
        ['s0', 1],
      ]);
      expect(await records.batchGet([])).toEqual([]);
      await failure(records.batchPut([...items, { pk, sk: 'x', attributes: {} }]), 'InvalidInput');
      await failure(
        records.batchGet(Array.from({ length: 101 }, (_, n) => ({ pk, sk: String(n) }))),
        'InvalidInput',
      );
    });

    it('refuses items over 400 KB and takes large ones', async () => {
      const key = { pk: fresh(), sk: 's' };
      await failure(records.put({ ...key, attributes: { t: 'x'.repeat(410_000) } }), 'InvalidInput');
      await failure(records.update(key, { set: { t: 'x'.repeat(410_000) } }), 'InvalidInput');
      await records.put({ ...key, attributes: { t: 'x'.repeat(300_000) } });
      await failure(records.update(key, { set: { u: 'x'.repeat(300_000) } }), 'InvalidInput');
      expect((await records.get(key))!.version).toBe(1);
    });

    it('never returns expired items, and treats them as absent', async () => {
      const pk = fresh();
      const ttl = Math.floor(under.now() / 1000) + 100;
      const put = (sk: string) => records.put({ pk, sk, attributes: { old: 1, n: 5 }, ttl, g1: { pk, sk } });
      for (const sk of ['put', 'absent', 'update', 'version', 'condition', 'delete']) await put(sk);
      await records.put({ pk, sk: 'stays', attributes: {}, g1: { pk, sk: 'stays' } });
      expect((await records.query({ pk })).items).toHaveLength(7);
      under.advance(101_000);

      expect(await records.get({ pk, sk: 'put' })).toBeUndefined();
      expect(await records.batchGet([{ pk, sk: 'put' }])).toEqual([]);
      expect(keysOf((await records.query({ pk })).items)).toEqual(['stays']);
      expect(keysOf((await records.query({ pk: pk, index: 'g1', limit: 1 })).items)).toEqual(['stays']);
      expect(
        (await failure(records.put({ pk, sk: 'version', attributes: {} }, { ifVersion: 1 }), 'Conflict'))
          .data,
      ).toEqual({ current: null });
      await failure(
        records.delete({ pk, sk: 'delete' }, { condition: { attribute: 'old', exists: true } }),
        'Conflict',
      );
      expect(await records.put({ pk, sk: 'put', attributes: { n: 1 } })).toMatchObject({ version: 1 });
      expect(await records.put({ pk, sk: 'absent', attributes: { n: 1 } }, { ifAbsent: true })).toMatchObject(
        { version: 1 },
      );
      expect(await records.update({ pk, sk: 'update' }, { add: { n: 1 } })).toEqual({
        pk,
        sk: 'update',
        attributes: { n: 1 },
        version: 1,
      });
      expect(
        await records.update(
          { pk, sk: 'condition' },
          { set: { m: 1 } },
          { condition: { attribute: 'old', exists: false } },
        ),
      ).toEqual({ pk, sk: 'condition', attributes: { m: 1 }, version: 1 });
    });
  });
}
