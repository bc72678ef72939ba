import { writeSync } from 'node:fs';
import { openEmbedded } from '#shared/storage/embedded/index.ts';

/** Puts and sends until it is killed, saying so on stdout only after each was acknowledged. */
const [dataDir = '', from = '0'] = process.argv.slice(2);
const store = openEmbedded({ dataDir });
const artifacts = store.artifacts();
const queue = store.queue('acknowledged');
for (let n = Number(from); ; n++) {
  await artifacts.put(`d${n % 10}/o${n}`, `body ${n}`);
  writeSync(1, `o${n}\n`);
  await queue.send([{ body: `m${n}` }]);
  writeSync(1, `m${n}\n`);
}
