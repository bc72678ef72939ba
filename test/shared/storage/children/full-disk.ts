import { openEmbedded } from '#shared/storage/embedded/index.ts';

/** Meets a limit on the size of files (set by its parent) as it would meet a full disk. */
const [dataDir = ''] = process.argv.slice(2);
const store = openEmbedded({ dataDir });
const artifacts = store.artifacts();
const name = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: Error) => error.name,
  );
const outcomes: string[] = [];
outcomes.push(await name(artifacts.put('small', 'x')));
outcomes.push(await name(artifacts.put('large', Buffer.alloc(3_000_000))));
async function* chunks() {
  for (let n = 0; n < 30; n++) yield Buffer.alloc(100_000);
}
outcomes.push(await name(artifacts.put('streamed', chunks())));
let written = 0;
let ended = 'done';
while (ended === 'done' && written < 200) {
  ended = await name(
    store.records.put({ pk: 'P', sk: String(written), attributes: { t: 'x'.repeat(100_000) } }),
  );
  if (ended === 'done') written++;
}
outcomes.push(ended);
const keys = (await artifacts.list()).objects.map(({ key }) => key);
const kept = (await store.records.query({ pk: 'P', limit: 1000 })).items.length;
process.stdout.write(JSON.stringify({ outcomes, keys, lost: written - kept }));
