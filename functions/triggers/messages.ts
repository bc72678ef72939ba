import { z } from 'zod';
import { CreateBody } from '#functions/api/schemas.ts';
import type { Json } from '#shared/storage/ports.ts';

/** What arrives in the queue `starts` (infra-api-cli section 8). */

export type StartMessage =
  | { kind: 'object'; object: CreatedObject }
  | { kind: 'ended'; executionArn: string }
  | { kind: 'schedule'; workflow: string; scheduledAt: string; input: Json }
  /** A create body, or what should have been one. */
  | { kind: 'body'; body: unknown };

export interface CreatedObject {
  bucket: string;
  /** As given: EventBridge does not URL-encode keys. */
  key: string;
  bytes?: number;
  versionId?: string;
  etag?: string;
}

const ObjectEvent = z.object({
  'detail-type': z.literal('Object Created'),
  detail: z.object({
    bucket: z.object({ name: z.string().min(1) }),
    object: z.object({
      key: z.string().min(1),
      size: z.number().min(0).optional(),
      etag: z.string().optional(),
      'version-id': z.string().optional(),
    }),
  }),
});

const StatusEvent = z.object({
  'detail-type': z.literal('Step Functions Execution Status Change'),
  detail: z.object({ executionArn: z.string().min(1) }),
});

const ScheduleMessage = z.strictObject({
  workflow: z.string().min(1),
  input: z.json(),
  scheduledAt: z.string().min(1).max(64),
});

/** A body in a `*.job.json` object: its place names the workflow. */
export const JobFile = CreateBody.extend({ workflow: CreateBody.shape.workflow.optional() });

/** Sorts a message out. @throws SyntaxError for what is no JSON. */
export function readMessage(text: string): StartMessage {
  const value: unknown = JSON.parse(text);
  const created = ObjectEvent.safeParse(value);
  if (created.success) {
    const { bucket, object } = created.data.detail;
    const { key, size, etag, 'version-id': versionId } = object;
    return {
      kind: 'object',
      object: {
        bucket: bucket.name,
        key,
        ...(size === undefined ? {} : { bytes: size }),
        ...(etag === undefined ? {} : { etag }),
        ...(versionId === undefined ? {} : { versionId }),
      },
    };
  }
  const ended = StatusEvent.safeParse(value);
  if (ended.success) return { kind: 'ended', executionArn: ended.data.detail.executionArn };
  const scheduled = ScheduleMessage.safeParse(value);
  if (scheduled.success) return { kind: 'schedule', ...scheduled.data } as StartMessage;
  return { kind: 'body', body: value };
}
