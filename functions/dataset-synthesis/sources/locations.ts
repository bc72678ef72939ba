import type { Artifacts } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** An object or prefix that a job input names: `s3://bucket/key` or a key of the platform's bucket. */
export interface Location {
  artifacts: Artifacts;
  key: string;
  /** How keys of this place are spelt in records: `s3://bucket/` where the input did so. */
  scheme: string;
}

const S3 = /^s3:\/\/([^/]+)\/(.*)$/s;

/** @throws InvalidInput where the address has another scheme. */
export function locate(uri: string, runtime: Pick<Runtime, 'artifacts' | 'bucket'>): Location {
  const s3 = S3.exec(uri);
  if (s3) return { artifacts: runtime.bucket(s3[1]!), key: s3[2]!, scheme: `s3://${s3[1]}/` };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(uri)) {
    throw invalidInput(
      `${uri}: give an artifact key, a prefix or an s3:// address; upload local files first.`,
    );
  }
  return { artifacts: runtime.artifacts, key: uri, scheme: '' };
}

/** How a file is named in records: without the prefix under which the platform took it in, which is no part of it. */
export function addressOf(file: string): string {
  return file.replace(/^(?:uploads\/[^/]+\/[^/]+\/|ingest\/[^/]+\/)/, '');
}
