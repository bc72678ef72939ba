import { z } from 'zod';
import { invalidInput } from '#shared/task/errors.ts';
import type { InferRequest } from './types.ts';

/** Strict schemas of what comes through the door (model-inference section 2). */

/** Of one request as a line of a batch (section 11). */
export const MAX_REQUEST_LINE_BYTES = 2 ** 20;

const MAX_META_BYTES = 1024;
const MAX_IMAGE_BYTES = 10 * 1024 * 1024;

const JsonObject = z.record(z.string(), z.unknown());

const PartSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({
    type: z.literal('image'),
    key: z.string().min(1).max(1024),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
    mime: z.string().regex(/^image\/[\w.+-]{1,64}$/, 'must be an image type such as image/png'),
    bytes: z.int().min(1).max(MAX_IMAGE_BYTES),
  }),
]);

const ToolCallSchema = z.strictObject({
  id: z.string().max(256),
  name: z.string().max(256),
  argumentsText: z.string(),
  arguments: JsonObject.nullable(),
  error: z.enum(['UNKNOWN_TOOL', 'UNPARSEABLE', 'INVALID']).optional(),
});

const MessageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(PartSchema)]),
  toolCalls: z.array(ToolCallSchema).optional(),
  toolCallId: z.string().max(256).optional(),
});

const ParamsSchema = z.strictObject({
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  maxOutputTokens: z.int().min(1).optional(),
  stop: z.array(z.string().min(1)).max(4).optional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  sample: z.int().min(0).optional(),
  reasoning: z.enum(['low', 'medium', 'high']).optional(),
});

const NAME = z.string().regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, _ or -');

/** InferRequest, every field checked and unknown ones refused. */
export const InferRequestSchema = z.strictObject({
  id: z.string().min(1).max(128),
  role: z.strictObject({ name: z.string().min(1).max(128), version: z.string().min(1).max(128) }),
  model: z.string().min(1).max(128),
  messages: z.array(MessageSchema).min(1),
  input: z.unknown().optional(),
  params: ParamsSchema.optional(),
  output: z.strictObject({ name: NAME, schema: JsonObject, latex: z.boolean().optional() }).optional(),
  tools: z
    .array(z.strictObject({ name: NAME, description: z.string(), parameters: JsonObject }))
    .max(128)
    .optional(),
  toolChoice: z.union([z.enum(['auto', 'none', 'required']), z.strictObject({ name: NAME })]).optional(),
  cache: z.enum(['use', 'refresh', 'off']).optional(),
  timeoutMs: z.int().min(1).max(3_600_000).optional(),
  hedgeAfterMs: z.int().min(1).max(3_600_000).optional(),
  meta: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .refine(
      (meta) => Buffer.byteLength(JSON.stringify(meta)) <= MAX_META_BYTES,
      `must be at most ${MAX_META_BYTES} bytes of JSON`,
    )
    .optional(),
});

/**
 * Returns the value when it is a request that the door takes; the value itself, nothing is copied or filled in.
 * @param where names it in the message, such as `Line 12`.
 * @throws InvalidInput with each fault's JSON Pointer.
 */
export function checkRequest(value: unknown, where = 'The request'): InferRequest {
  const parsed = InferRequestSchema.safeParse(value);
  if (parsed.success) {
    const request = value as InferRequest;
    if (request.hedgeAfterMs !== undefined && (request.params?.temperature ?? 0) !== 0) {
      throw refused(where, '/hedgeAfterMs', 'hedging', 'Only requests of temperature 0 may be hedged.');
    }
    return request;
  }
  const problems = parsed.error.issues.slice(0, 20).map((issue) => ({
    pointer: issue.path.map((step) => `/${String(step)}`).join(''),
    code: issue.code,
    detail: issue.message,
  }));
  const [first] = problems;
  throw invalidInput(`${where} is not usable: ${first!.pointer || '/'}: ${first!.detail}`, { problems });
}

const refused = (where: string, pointer: string, code: string, detail: string): Error =>
  invalidInput(`${where} is not usable: ${pointer}: ${detail}`, { problems: [{ pointer, code, detail }] });
