import { isoTime } from '#shared/determinism/clock.ts';
import { derivedUuid } from '#shared/determinism/ids.ts';
import { keyProblem } from '#shared/storage/keys.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { outputKey, SUCCESS } from '#shared/task/finish.ts';
import { findWorkflow } from '#shared/task/job-control.ts';
import { ProblemError } from '#shared/task/problems.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { decodeCursor, encodeCursor } from './cursors.ts';
import { IDEMPOTENCY_HEADER, idempotencyKeyOf } from './idempotency.ts';
import { jobFor } from './jobs.ts';
import { route } from './route.ts';
import { NoQuery, OutputPage, OutputQuery, Upload, UploadBody } from './schemas.ts';

/** Objects over HTTP: presigned uploads, and the outputs of jobs. The bytes themselves never pass the API. */

const URL_SECONDS = 15 * 60;
const UPLOAD_DAYS = 30;
/** A larger manifest is only linked. */
const MAX_MANIFEST_BYTES = 1024 ** 2;
/** Up to this many objects are looked at for the hash that their writer stored. */
const MAX_HEADS = 100;

export const createUpload = route({
  method: 'POST',
  path: '/v1/uploads',
  operationId: 'createUpload',
  summary: 'Makes an address to upload one file to',
  scope: 'jobs:write',
  query: NoQuery,
  request: UploadBody,
  requestHeaders: IDEMPOTENCY_HEADER,
  responses: {
    201: { description: 'Where and how to upload; `ref` names the file in an input.', schema: Upload },
  },
  problems: [
    'malformed-json',
    'payload-too-large',
    'unsupported-media-type',
    'invalid-input',
    'unknown-workflow',
    'not-found',
    'idempotency-conflict',
  ],
  async handler(request) {
    const { body, caller, runtime, catalog } = request;
    const { workflow, filename, bytes, sha256, contentType } = body;
    const entry = findWorkflow(catalog, workflow);
    if (!entry) {
      throw new ProblemError('unknown-workflow', `There is no workflow "${workflow}".`, {
        problems: [{ pointer: '/workflow', code: 'unknown', detail: 'GET /v1/workflows lists them.' }],
      });
    }
    const max = entry.limits.maxObjectBytes;
    if (bytes > max) {
      throw new ProblemError(
        'payload-too-large',
        `${workflow} takes objects of at most ${max} bytes, not ${bytes}.`,
        {
          problems: [{ pointer: '/bytes', code: 'too-large', detail: `The limit is ${max}.` }],
        },
      );
    }
    const pk = `UPLOAD#${caller.owner}`;
    if (body.uploadId !== undefined && !(await runtime.records.get({ pk, sk: body.uploadId }))) {
      throw new ProblemError('not-found', `There is no upload ${body.uploadId}.`);
    }
    const idempotencyKey = idempotencyKeyOf(request);
    if (body.uploadId !== undefined && idempotencyKey !== undefined) {
      throw new ProblemError('invalid-input', 'One field is not valid.', {
        problems: [
          {
            pointer: '/idempotencyKey',
            code: 'not-allowed',
            detail: 'A file that joins an upload is known by its name: give no key with uploadId.',
          },
        ],
      });
    }
    const derived =
      idempotencyKey === undefined
        ? undefined
        : derivedUuid('upload', caller.owner, workflow, idempotencyKey);
    const uploadId = body.uploadId ?? derived ?? runtime.ids.uuid();
    const key = `uploads/${caller.owner}/${uploadId}/${filename}`;
    const bad = keyProblem(key);
    if (bad !== undefined) {
      throw new ProblemError('invalid-input', 'One field is not valid.', {
        problems: [
          { pointer: '/filename', code: 'invalid-format', detail: `It makes no object key: ${bad}.` },
        ],
      });
    }
    const now = runtime.clock.now();
    const file = { workflow, key, bytes, sha256, contentType };
    if (derived !== undefined) {
      const before = await runtime.records.get({ pk, sk: derived });
      const same = Object.entries(file).every(([name, value]) => before?.attributes[name] === value);
      if (before && !same) {
        throw new ProblemError(
          'idempotency-conflict',
          'The key was used before to upload another file: take another key, or the same file.',
        );
      }
    }
    await runtime.records.put({
      pk,
      sk: body.uploadId === undefined ? uploadId : `${uploadId}#${filename}`,
      attributes: { ...file, createdAt: isoTime(now) },
      ttl: Math.ceil(now / 1000) + UPLOAD_DAYS * 24 * 3600,
    });
    const { url, headers } = await runtime.artifacts.presign(key, {
      method: 'PUT',
      expiresSeconds: URL_SECONDS,
      contentType,
      bytes,
      sha256,
    });
    const expiresAt = isoTime(now + URL_SECONDS * 1000);
    const ref = { key, sha256, bytes };
    return { status: 201, body: { uploadId, url, method: 'PUT', headers, expiresAt, ref } };
  },
});

export const listOutputs = route({
  method: 'GET',
  path: '/v1/jobs/{jobId}/outputs',
  operationId: 'listJobOutputs',
  summary: 'The manifest of a job and its files, each with an address that lives for 15 minutes',
  scope: 'jobs:read',
  query: OutputQuery,
  responses: {
    200: { description: 'A page of files; without any where the job has written none.', schema: OutputPage },
  },
  problems: ['not-found', 'invalid-input', 'bad-cursor'],
  async handler(request) {
    const { jobId, status } = await jobFor(request);
    const { runtime } = request;
    const { artifacts } = runtime;
    const prefix = outputKey(jobId, '');
    const list = ['outputs', jobId];
    const after = decodeCursor(list, request.query.cursor);
    const page = await artifacts.list({
      prefix,
      limit: request.query.limit,
      ...(after === undefined ? {} : { after: `${prefix}${after}` }),
    });
    const manifest = await manifestOf(runtime, jobId);
    const hashes = hashesIn(manifest);
    const expiresAt = isoTime(runtime.clock.now() + URL_SECONDS * 1000);
    const files = page.objects.filter(({ key }) => !key.slice(prefix.length).startsWith('_'));
    const items = await Promise.all(
      files.map(async ({ key, bytes }) => {
        const { url } = await artifacts.presign(key, { method: 'GET', expiresSeconds: URL_SECONDS });
        const sha256 =
          hashes.get(key) ?? (files.length <= MAX_HEADS ? (await artifacts.head(key)).sha256 : undefined);
        return { key, bytes, ...(sha256 === undefined ? {} : { sha256 }), url, expiresAt };
      }),
    );
    const body = {
      jobId,
      status,
      complete: await exists(runtime, outputKey(jobId, SUCCESS)),
      ...(manifest ? { manifest } : {}),
      items,
      ...(page.next === undefined ? {} : { nextCursor: encodeCursor(list, page.next.slice(prefix.length)) }),
    };
    return { status: 200, body };
  },
});

async function exists(runtime: Runtime, key: string): Promise<boolean> {
  try {
    await runtime.artifacts.head(key);
    return true;
  } catch (error) {
    if (isError(error, 'NotFound')) return false;
    throw error;
  }
}

async function manifestOf(runtime: Runtime, jobId: string): Promise<Record<string, Json> | undefined> {
  const key = outputKey(jobId, 'manifest.json');
  try {
    return (await readJson(runtime.artifacts, key, { maxBytes: MAX_MANIFEST_BYTES })) as Record<string, Json>;
  } catch (error) {
    // Not written yet, or too large.
    if (isError(error, 'NotFound') || isError(error, 'InvalidInput')) return undefined;
    throw error;
  }
}

/** The hashes that a manifest names by key, wherever in it. */
function hashesIn(manifest: Record<string, Json> | undefined): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (value: Json): void => {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) return value.forEach(walk);
    const { key, sha256 } = value;
    if (typeof key === 'string' && typeof sha256 === 'string') found.set(key, sha256);
    Object.values(value).forEach(walk);
  };
  if (manifest) walk(manifest);
  return found;
}
