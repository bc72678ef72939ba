import { z } from 'zod';

/** The shape of models.json as written, before defaults and cross-field rules (model-inference section 3). */

const micros = z.number().min(0);
const count = z.int().min(1);

/** 64 lower-case hex digits. */
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits');

const PriceSchema = z.strictObject({
  from: z.iso.date({ error: 'must be an ISO date such as 2026-01-31' }),
  inputPerMTok: micros,
  outputPerMTok: micros,
  cachedInputPerMTok: micros.optional(),
});

const AuthSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('secret'), secret: z.string().min(1).max(512) }),
  z.strictObject({ type: z.literal('oidc'), audience: z.string().min(1).max(1000) }),
]);

const EndpointSchema = z.strictObject({
  name: z.string().min(1).max(63).optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region such as eu-west-1')
    .optional(),
  variant: z.string().min(1).max(63).optional(),
  inferenceComponent: z.string().min(1).max(63).optional(),
  url: z.url({ protocol: /^https?$/ }).optional(),
  auth: AuthSchema.optional(),
  file: z.string().min(1).optional(),
  sha256: Sha256.optional(),
  mode: z.enum(['strict', 'record']).optional(),
  upstream: z.string().min(1).optional(),
});

export const EntrySchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9][\w.:-]{0,62}$/,
      'must be 1 to 63 letters, digits or _.:- and start with a small letter or digit',
    ),
  provider: z.enum(['sagemaker', 'sagemaker-async', 'openai', 'gguf', 'builtin', 'replay']),
  enabled: z.boolean().optional(),
  endpoint: EndpointSchema.optional(),
  codec: z.enum(['openai', 'generate']).optional(),
  chatTemplate: z.string().min(1).optional(),
  dialect: z.enum(['tgi', 'lmi']).optional(),
  served: z.string().min(1).optional(),
  revision: z.string().min(1).max(128).optional(),
  contextTokens: count.optional(),
  maxOutputTokens: count.optional(),
  price: z.array(PriceSchema).optional(),
  billing: z.enum(['token', 'hour', 'free']).optional(),
  limits: z
    .strictObject({
      rpm: z.number().positive().optional(),
      tpm: z.number().positive().optional(),
      concurrency: count.optional(),
    })
    .optional(),
  features: z
    .strictObject({
      jsonSchema: z.boolean().optional(),
      tools: z.boolean().optional(),
      streaming: z.boolean().optional(),
      images: z.boolean().optional(),
      reasoning: z.boolean().optional(),
    })
    .optional(),
  tokenizer: z
    .enum(['bytes', 'o200k_base', 'o200k_harmony', 'cl100k_base', 'p50k_base', 'p50k_edit', 'r50k_base'])
    .optional(),
  imageTokens: count.optional(),
  timeoutMs: z.int().min(1000).max(3_600_000).optional(),
  async: z
    .strictObject({
      scaleToZero: z.boolean().optional(),
      ttlSeconds: z.int().min(60).max(21_600).optional(),
      invocationTimeoutSeconds: z.int().min(1).max(3600).optional(),
    })
    .optional(),
  deploy: z.record(z.string(), z.unknown()).optional(),
});

const RouteSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][\w.:-]{0,62}$/),
  policy: z.enum(['static', 'cascade', 'cheapest']),
  models: z.array(z.string()).min(1),
});

/** The file around the entries; the entries themselves are read one by one so that each fault names its own. */
export const FileSchema = z.strictObject({
  $schema: z.string().optional(),
  models: z.array(z.unknown()),
  routes: z.array(RouteSchema).optional(),
});

export type Entry = z.infer<typeof EntrySchema>;
