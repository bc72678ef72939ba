import { openEmbedded } from '#shared/storage/embedded/index.ts';

/** One of several processes on one data directory: counts, races for a key, and answers a message. */
const [dataDir = '', name = ''] = process.argv.slice(2);
const store = openEmbedded({ dataDir });
for (let n = 0; n < 200; n++) await store.records.update({ pk: 'P', sk: 'COUNT' }, { add: { n: 1 } });
const won = await store
  .artifacts()
  .put('race', name, { ifAbsent: true })
  .then(
    () => true,
    () => false,
  );
await store.artifacts().put(`from/${name}`, name);
await store.queue('answers').send([{ body: name }]);
await store.close();
process.stdout.write(JSON.stringify({ won }));
