import { DynamoRecords } from '#shared/storage/aws/dynamodb.ts';
import { dynaliteTable } from './dynalite.ts';
import { embeddedStore } from './embedded.ts';
import { recordsContract } from './records.contract.ts';
import { shiftableClock } from './support.ts';

recordsContract('embedded', async () => {
  const clock = shiftableClock();
  const store = await embeddedStore({ clock });
  return { records: store.records, advance: clock.advance, now: clock.now, close: store.remove };
});

recordsContract('DynamoDB (dynalite)', async () => {
  const clock = shiftableClock();
  const { client, table, close } = await dynaliteTable();
  const records = new DynamoRecords(client, table, clock);
  return { records, advance: clock.advance, now: clock.now, losesProto: true, close };
});
