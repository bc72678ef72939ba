import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fsync, openEmbedded } from '#shared/storage/embedded/index.ts';

interface Measure {
  name: string;
  /** Operations of one round. */
  count: number;
  round(n: number): Promise<void>;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/**
 * `npm run bench -- storage [rounds] [normal|full]`: operations a second of the embedded adapters, the median of the
 * rounds, on a fresh data directory in the temporary folder.
 */
export default async function run(args: string[]): Promise<void> {
  const rounds = Number(args[0] ?? 5);
  const fsync = (args[1] ?? 'normal') as Fsync;
  if (!Number.isInteger(rounds) || rounds < 1 || (fsync !== 'normal' && fsync !== 'full')) {
    console.error('Usage: npm run bench -- storage [rounds] [normal|full]');
    process.exitCode = 2;
    return;
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  const store = openEmbedded({ dataDir, fsync });
  try {
    const rows = measures(store).map(({ name, count, round }) => ({ name, count, round }));
    console.log(`Embedded storage, fsync ${fsync}, median of ${rounds} rounds\n`);
    console.log(`${'operation'.padEnd(34)}${'a round'.padStart(9)}${'per second'.padStart(12)}`);
    for (const { name, count, round } of rows) {
      const rates: number[] = [];
      for (let n = 0; n < rounds; n++) {
        const began = performance.now();
        await round(n);
        rates.push((count / (performance.now() - began)) * 1000);
      }
      const rate = Math.round(median(rates)).toLocaleString('en');
      console.log(`${name.padEnd(34)}${count.toLocaleString('en').padStart(9)}${rate.padStart(12)}`);
    }
    console.log(`\nPeak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
  } finally {
    await store.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function measures({ records, artifacts, queue }: ReturnType<typeof openEmbedded>): Measure[] {
  const objects = artifacts();
  const work = queue('bench');
  const attributes = { status: 'RUNNING', done: 12, total: 100, note: 'x'.repeat(100) };
  const body = Buffer.alloc(4096, 'x');
  const times = async (count: number, each: (n: number) => Promise<unknown>): Promise<void> => {
    for (let n = 0; n < count; n++) await each(n);
  };
  return [
    {
      name: 'records put',
      count: 20_000,
      round: (r) => times(20_000, (n) => records.put({ pk: `P#${n % 100}`, sk: `S#${r}#${n}`, attributes })),
    },
    {
      name: 'records conditional update',
      count: 10_000,
      round: (r) =>
        times(10_000, (n) =>
          records.update(
            { pk: `U#${r}`, sk: String(n % 100) },
            { add: { n: 1 } },
            { condition: { attribute: 'x', exists: false } },
          ),
        ),
    },
    {
      name: 'records get',
      count: 20_000,
      round: () => times(20_000, (n) => records.get({ pk: `P#${n % 100}`, sk: `S#0#${n}` })),
    },
    {
      name: 'records query (100 items)',
      count: 1_000,
      round: () => times(1_000, (n) => records.query({ pk: `P#${n % 100}`, sk: { prefix: 'S#0' } })),
    },
    {
      name: 'artifacts put 4 KB',
      count: 2_000,
      round: (r) => times(2_000, (n) => objects.put(`b/${r}/${n}`, body)),
    },
    {
      name: 'artifacts get 4 KB',
      count: 2_000,
      round: () =>
        times(2_000, async (n) => {
          for await (const chunk of (await objects.get(`b/0/${n}`)).body) void chunk;
        }),
    },
    {
      name: 'artifacts list (keys)',
      count: 2_000,
      round: async (r) => {
        let after: string | undefined;
        do {
          const page = await objects.list({ prefix: `b/${r}/`, ...(after === undefined ? {} : { after }) });
          after = page.next;
        } while (after !== undefined);
      },
    },
    {
      name: 'queue send, receive, delete',
      count: 5_000,
      round: async () => {
        await times(500, () => work.send(Array.from({ length: 10 }, () => ({ body: '{"n":1}' }))));
        for (let left = 5_000; left > 0;) {
          const messages = await work.receive({ max: 10 });
          for (const { receipt } of messages) await work.delete(receipt);
          left -= messages.length;
        }
      },
    },
  ];
}
