import { readText } from '#shared/storage/jsonl.ts';
import { printable } from '#shared/storage/keys.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { IngestedObject, WorkflowEntry } from '#shared/task/catalog.ts';
import { isError } from '#shared/task/errors.ts';
import { describeProblems, fieldProblems } from '#shared/task/fields.ts';
import { findWorkflow, jobControl, type CreateRequest } from '#shared/task/job-control.ts';
import { ProblemError } from '#shared/task/problems.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { MessageContext } from './batch.ts';
import { JobFile, type CreatedObject } from './messages.ts';
import { recordRejected, startJobId } from './rejected.ts';

/** Objects dropped under `ingest/<workflow>/` (infra-api-cli section 8). */

export const INGEST_OWNER = 'ingest';
const PREFIX = 'ingest/';
const JOB_FILE = '.job.json';
const MAX_JOB_FILE_BYTES = 256 * 1024;

const unsupported = (detail: string): ProblemError => new ProblemError('unsupported-object', detail);

/** Starts the job of an object, or records why there is none. A repeated notification changes nothing. */
export async function startFromObject(
  context: MessageContext,
  catalog: readonly WorkflowEntry[],
  object: CreatedObject,
): Promise<void> {
  const { runtime, log } = context;
  const { bucket, key } = object;
  if (!key.startsWith(PREFIX) || key.endsWith('/') || key.endsWith('/_SUCCESS')) return;
  const workflow = key.split('/')[1]!;
  // Without versions (one machine) a changed object under the same key is told by its etag.
  const identity = ['object', bucket, key, object.versionId ?? object.etag ?? ''];
  const jobId = startJobId(catalog, workflow, identity);
  const control = jobControl(runtime, catalog);
  try {
    const request = await requestFrom(runtime, catalog, workflow, object);
    const { job, replayed } = await control.create({ ...request, owner: INGEST_OWNER, jobId });
    if (!replayed) {
      log.metric('JobsStarted', 1);
      log.info('An object started a job.', { jobId: job.jobId, key: printable(key) });
    }
  } catch (error) {
    // Anything else passes, or is ours to mend: the message comes again.
    if (!(error instanceof ProblemError)) throw error;
    // The same object made another request before, under an older catalog: its job stands.
    if (error.slug === 'idempotency-conflict') return;
    const input = { bucket, key, ...(object.bytes === undefined ? {} : { bytes: object.bytes }) };
    await recordRejected(context, catalog, { workflow, owner: INGEST_OWNER, identity, input, error });
  }
}

async function requestFrom(
  runtime: Runtime,
  catalog: readonly WorkflowEntry[],
  workflow: string,
  object: CreatedObject,
): Promise<Omit<CreateRequest, 'owner'>> {
  const entry = findWorkflow(catalog, workflow);
  if (!entry) {
    const names = catalog.map(({ name }) => name).join(', ');
    throw new ProblemError(
      'unknown-workflow',
      `There is no workflow "${printable(workflow)}". There are: ${names}.`,
    );
  }
  const bytes = object.bytes ?? (await sizeOf(runtime, object));
  if (object.key.endsWith(JOB_FILE)) return jobFile(runtime, entry, object, bytes);
  const { s3 } = entry.triggers;
  if (!s3 || !object.key.startsWith(s3.prefix))
    throw unsupported(`${workflow} takes no objects at this place.`);
  if (!s3.suffix.some((suffix) => object.key.toLowerCase().endsWith(suffix))) {
    throw unsupported(`${workflow} takes objects that end in ${s3.suffix.join(', ')}, or in ${JOB_FILE}.`);
  }
  if (bytes === 0) throw unsupported('The object is empty.');
  const max = entry.limits.maxObjectBytes;
  if (bytes > max) throw unsupported(`The object has ${bytes} bytes, ${workflow} takes at most ${max}.`);
  const { bucket, key, versionId } = object;
  const ingested: IngestedObject = { bucket, key, bytes, ...(versionId === undefined ? {} : { versionId }) };
  try {
    return { workflow, input: s3.toInput(ingested) };
  } catch (error) {
    throw new ProblemError('unsupported-object', `${workflow} can make no input of this object.`, {
      cause: error,
    });
  }
}

async function sizeOf(runtime: Runtime, { bucket, key }: CreatedObject): Promise<number> {
  try {
    return (await runtime.bucket(bucket).head(key)).bytes;
  } catch (error) {
    if (isError(error, 'NotFound') || isError(error, 'InvalidInput'))
      throw unsupported('The object is gone.');
    throw error;
  }
}

/** A create body as an object. */
async function jobFile(
  runtime: Runtime,
  { name }: WorkflowEntry,
  { bucket, key }: CreatedObject,
  bytes: number,
): Promise<Omit<CreateRequest, 'owner'>> {
  if (bytes > MAX_JOB_FILE_BYTES) {
    throw unsupported(`A ${JOB_FILE} object has at most ${MAX_JOB_FILE_BYTES} bytes, not ${bytes}.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(await readText(runtime.bucket(bucket), key, { maxBytes: MAX_JOB_FILE_BYTES }));
  } catch (error) {
    if (error instanceof SyntaxError || isError(error, 'InvalidInput')) {
      throw new ProblemError('malformed-json', `The object is not JSON: ${error.message.slice(0, 200)}`);
    }
    if (isError(error, 'NotFound')) throw unsupported('The object is gone.');
    throw error;
  }
  const parsed = JobFile.safeParse(value);
  if (!parsed.success) {
    const problems = fieldProblems(parsed.error);
    throw new ProblemError('invalid-input', `The job file is not valid. ${describeProblems(problems)}`, {
      problems,
    });
  }
  const { workflow = name, input, budget, model } = parsed.data;
  if (workflow !== name) {
    throw new ProblemError('invalid-input', 'One field is not valid.', {
      problems: [
        {
          pointer: '/workflow',
          code: 'mismatch',
          detail: `The object lies under ingest/${name}/: leave it out, or say "${name}".`,
        },
      ],
    });
  }
  return { workflow, input: input as Json, budget, model };
}
