import { workflowOfJob } from '#shared/determinism/ids.ts';
import { keyProblem } from '#shared/storage/keys.ts';
import type { Json } from '#shared/storage/ports.ts';
import { isError, type FieldProblem } from './errors.ts';
import { pointerToken } from './fields.ts';
import { jobStore } from './job-store.ts';
import type { Runtime } from './runtime.ts';

/**
 * Artifacts that a job's input names. A caller may name their own uploads, outputs of their own jobs, and what was
 * dropped for the workflow (infra-api-cli section 7); whatever else lies under the platform's prefixes is refused,
 * because a task's role could read it.
 */

export interface InputReference {
  /** Where in the input. */
  pointer: string;
  key: string;
  /** The reference's claim, where it is an ArtifactRef and no bare key. */
  bytes?: number;
  sha256?: string;
}

const PLATFORM_KEY = /^(?:jobs|uploads|ingest|libraries|mapruns|async|cache)\//;
const S3_URI = /^s3:\/\/([^/]+)\/(.*)$/s;

/** Every ArtifactRef of the platform's bucket in an input, and every text that is a key or `s3://` URI of a platform prefix. */
export function inputReferences(input: Json, bucket: string): InputReference[] {
  const found: InputReference[] = [];
  const walk = (value: Json, pointer: string): void => {
    if (typeof value === 'string') {
      const uri = S3_URI.exec(value);
      if (uri && uri[1] !== bucket) return;
      const key = uri ? uri[2]! : value;
      if (PLATFORM_KEY.test(key)) found.push({ pointer, key });
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      value.forEach((item, index) => walk(item, `${pointer}/${index}`));
      return;
    }
    const { key, sha256, bytes, bucket: other } = value;
    const isRef = typeof key === 'string' && typeof sha256 === 'string' && typeof bytes === 'number';
    if (isRef && (other === undefined || other === bucket))
      found.push({ pointer: `${pointer}/key`, key, sha256, bytes });
    for (const [name, member] of Object.entries(value)) {
      if (!(isRef && name === 'key')) walk(member, `${pointer}/${pointerToken(name)}`);
    }
  };
  walk(input, '');
  return found;
}

/** On one machine the person at the API, the console and the drop folder are the same. */
const LOCAL_OWNERS: ReadonlySet<string> = new Set(['local', 'console', 'ingest', 'queue', 'schedule']);

const samePrincipal = (runtime: Pick<Runtime, 'kind'>, caller: string, owner: string): boolean =>
  caller === owner || (runtime.kind === 'embedded' && LOCAL_OWNERS.has(caller) && LOCAL_OWNERS.has(owner));

const refusal = (pointer: string): FieldProblem => ({
  pointer,
  code: 'unreadable-reference',
  detail:
    'There is no such object that this job may read: name one of your uploads or an output of one of your jobs.',
});

/** The references that `owner` may not use in a job of `workflow`. Existence is not looked at: see `checkObjects`. */
export async function checkReferences(
  runtime: Runtime,
  owner: string,
  workflow: string,
  references: readonly InputReference[],
): Promise<FieldProblem[]> {
  const problems: FieldProblem[] = [];
  const owners = new Map<string, string | undefined>();
  const ownerOf = async (jobId: string): Promise<string | undefined> => {
    if (!owners.has(jobId)) owners.set(jobId, (await jobStore(runtime).facts(jobId))?.owner);
    return owners.get(jobId);
  };
  for (const { pointer, key } of references) {
    const bad = keyProblem(key.endsWith('/') ? key.slice(0, -1) : key);
    if (bad !== undefined) {
      problems.push({ pointer, code: 'malformed-key', detail: `This is no object key: ${bad}.` });
      continue;
    }
    const [area, scope = '', below = ''] = key.split('/');
    if (!PLATFORM_KEY.test(key)) {
      // Tasks' roles on AWS cannot read elsewhere; one machine's data directory has no such borders.
      if (runtime.kind === 'aws') problems.push(refusal(pointer));
    } else if (area === 'uploads') {
      if (!samePrincipal(runtime, owner, scope)) problems.push(refusal(pointer));
    } else if (area === 'ingest') {
      if (scope !== workflow) problems.push(refusal(pointer));
    } else if (area === 'jobs' && below === 'output' && workflowOfJob(scope) !== undefined) {
      const of = await ownerOf(scope);
      if (of === undefined || !samePrincipal(runtime, owner, of)) problems.push(refusal(pointer));
    } else problems.push(refusal(pointer));
  }
  return problems;
}

/** Objects looked at before a job begins; further ones are met by the tasks that read them. */
const MAX_LOOKS = 200;

/** Whether the named objects exist, are what their reference says, and are not above the workflow's limit. */
export async function checkObjects(
  runtime: Runtime,
  references: readonly InputReference[],
  maxObjectBytes: number,
): Promise<FieldProblem[]> {
  const problems: FieldProblem[] = [];
  for (const { pointer, key, bytes, sha256 } of references.slice(0, MAX_LOOKS)) {
    // A prefix names whatever lies below it.
    if (key.endsWith('/')) continue;
    try {
      const head = await runtime.artifacts.head(key);
      if (head.bytes > maxObjectBytes) {
        const detail = `The object has ${head.bytes} bytes, the limit of this workflow is ${maxObjectBytes}.`;
        problems.push({ pointer, code: 'too-large', detail });
      } else if (bytes !== undefined && head.bytes !== bytes) {
        const detail = `The object has ${head.bytes} bytes, the reference says ${bytes}: upload it again.`;
        problems.push({ pointer, code: 'size-mismatch', detail });
      } else if (sha256 !== undefined && head.sha256 !== undefined && head.sha256 !== sha256) {
        problems.push({
          pointer,
          code: 'hash-mismatch',
          detail: 'The object is not the content of the reference: upload it again.',
        });
      }
    } catch (error) {
      if (!isError(error, 'NotFound')) throw error;
      problems.push({ pointer, code: 'not-found', detail: 'There is no such object: upload it first.' });
    }
  }
  return problems;
}
