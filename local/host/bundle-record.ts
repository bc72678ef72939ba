import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleReport } from './check-bundles.ts';

/** Cold-start bytes of every bundle as last accepted; `npm run check:bundles -- --record` accepts today's. */
export type BundleRecord = Readonly<Record<string, number>>;

const FILE = join(import.meta.dirname, 'bundle-sizes.json');
const GROWTH = 1.1;

export const readRecord = (): BundleRecord => JSON.parse(readFileSync(FILE, 'utf8')) as BundleRecord;

export function writeRecord(reports: readonly BundleReport[]): void {
  const record = Object.fromEntries(reports.map(({ entry, coldBytes }) => [entry, coldBytes]));
  writeFileSync(FILE, `${JSON.stringify(record, null, 2)}\n`);
}

/** What a bundle's size says against the record: unrecorded, or over a tenth larger (infra-api-cli section 2). */
export function growthProblem(
  { entry, coldBytes }: Pick<BundleReport, 'entry' | 'coldBytes'>,
  record: BundleRecord,
): string | undefined {
  const before = record[entry];
  const accept = 'accept it with: npm run check:bundles -- --record';
  if (before === undefined) return `has no recorded size; ${accept}`;
  if (coldBytes <= before * GROWTH) return undefined;
  return `grew from ${before} to ${coldBytes} bytes, over 10 %; make it smaller, or ${accept}`;
}
