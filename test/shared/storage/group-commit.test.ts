import { expect, it } from 'vitest';
import { GroupCommit } from '#shared/storage/group-commit.ts';
import type { ConditionalPut, RecordItem, Records } from '#shared/storage/ports.ts';

const put = (sk: string): ConditionalPut['item'] => ({ pk: 'test', sk, attributes: {} });

/** Records that only note how many items each commit has. */
function counting(): { commits: GroupCommit; sizes: number[] } {
  const sizes: number[] = [];
  const written = (item: ConditionalPut['item']): RecordItem => ({ ...item, version: 1 }) as RecordItem;
  const records = {
    put: async (item: ConditionalPut['item']) => {
      sizes.push(1);
      return written(item);
    },
    putEach: async (puts: readonly ConditionalPut[]) => {
      sizes.push(puts.length);
      return puts.map(({ item }) => ({ status: 'fulfilled', value: written(item) }));
    },
  } as unknown as Records;
  return { commits: new GroupCommit(records), sizes };
}

it('puts that come together are one commit', async () => {
  const { commits, sizes } = counting();
  await Promise.all(Array.from({ length: 16 }, (_, n) => commits.put(put(`${n}`))));
  expect(sizes).toEqual([16]);
});

it('puts that come together after some that came alone are one commit', async () => {
  const { commits, sizes } = counting();
  for (let n = 0; n < 3; n++) await commits.put(put(`alone ${n}`));
  await Promise.all(Array.from({ length: 8 }, (_, n) => commits.put(put(`${n}`))));
  expect(sizes).toEqual([1, 1, 1, 8]);
});

it('who puts without a pause lets timers and sockets have their turn', async () => {
  const { commits } = counting();
  let fired = false;
  setImmediate(() => (fired = true));
  for (let n = 0; n < 100 && !fired; n++) await commits.put(put(`${n}`));
  expect(fired).toBe(true);
});
