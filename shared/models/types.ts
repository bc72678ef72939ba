import type { Rng } from '#shared/determinism/rng.ts';

/** The records of model calls (model-inference section 2). Money is integer micro-dollars, time milliseconds. */

export type JsonSchema = Record<string, unknown>;

export type Part =
  | { type: 'text'; text: string }
  | { type: 'image'; key: string; sha256: string; mime: string; bytes: number };

export interface ToolCall {
  id: string;
  name: string;
  argumentsText: string;
  /** Null where the arguments are no JSON object. */
  arguments: Record<string, unknown> | null;
  error?: 'UNKNOWN_TOOL' | 'UNPARSEABLE' | 'INVALID';
}

export interface Message {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | Part[];
  toolCalls?: ToolCall[];
  toolCallId?: string;
}

export interface Params {
  /** 0..2, default 0. */
  temperature?: number;
  /** Default 1. */
  topP?: number;
  /** Default: the model's. */
  maxOutputTokens?: number;
  /** At most 4. */
  stop?: string[];
  /** 31 bits. */
  seed?: number;
  /** Which of several draws this is; part of the cache key. Default 0. */
  sample?: number;
  reasoning?: 'low' | 'medium' | 'high';
}

export interface OutputSpec {
  name: string;
  /** JSON Schema 2020-12. */
  schema: JsonSchema;
  /** Guard TeX escapes before parsing; default true. */
  latex?: boolean;
}

export interface ToolSpec {
  name: string;
  description: string;
  parameters: JsonSchema;
}

export interface InferRequest {
  /** At most 128 characters, unique in its file. */
  id: string;
  role: { name: string; version: string };
  /** A registry model or route. */
  model: string;
  messages: Message[];
  /** The role's structured input; the `builtin` provider needs it. */
  input?: unknown;
  params?: Params;
  output?: OutputSpec;
  tools?: ToolSpec[];
  toolChoice?: 'auto' | 'none' | 'required' | { name: string };
  cache?: 'use' | 'refresh' | 'off';
  timeoutMs?: number;
  hedgeAfterMs?: number;
  /** Flat, at most 1 KiB; echoed, never sent or hashed. */
  meta?: Record<string, string | number | boolean | null>;
}

export type Finish = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'error';

export type InferErrorCode =
  | 'QUOTA'
  | 'UNAVAILABLE'
  | 'THROTTLED'
  | 'AUTH'
  | 'NOT_FOUND'
  | 'CONTEXT_OVERFLOW'
  | 'BAD_REQUEST'
  | 'TIMEOUT'
  | 'BAD_RESPONSE'
  | 'EMPTY'
  | 'CONTENT_FILTERED'
  | 'DEFECT'
  | 'TRUNCATED'
  | 'PARSE_ERROR'
  | 'SCHEMA_INVALID'
  | 'EXPIRED'
  | 'PACKAGE_MISSING'
  | 'FILE_MISSING'
  | 'NO_BUILTIN'
  | 'REPLAY_MISS';

export interface InferError {
  code: InferErrorCode;
  /** Fixed per code. */
  message: string;
  retryable: boolean;
  /** The model's raw text, at most 32 KiB, else a reference. */
  raw?: string | { key: string; sha256: string; bytes: number };
}

/** `rejected`: answered, unusable. `failed`: no answer. Nothing here differs between a first and a resumed run. */
export interface InferResult {
  id: string;
  status: 'ok' | 'rejected' | 'failed';
  finish: Finish;
  text: string;
  reasoning?: string;
  /** The parsed, validated output where the request has an OutputSpec. */
  output?: unknown;
  toolCalls?: ToolCall[];
  repairs: string[];
  role: { name: string; version: string };
  model: string;
  provider: ProviderName;
  tokens: { input: number; output: number };
  /** The original request's cache key: the callId of dataset-synthesis. */
  cacheKey: string;
  meta?: InferRequest['meta'];
  error?: InferError;
}

/** How a result came about; never part of data records. */
export interface InferTrace {
  attempts: number;
  cached: boolean;
  latencyMs: number;
  firstTokenMs?: number;
  queuedMs: number;
  costMicros: number;
  savedMicros: number;
  attemptIds: string[];
}

export type InferEvent =
  | { type: 'start'; model: string }
  | { type: 'text'; delta: string }
  | { type: 'reasoning'; delta: string }
  | { type: 'tool'; index: number; id?: string; name?: string; argumentsDelta: string }
  | { type: 'usage'; usage: Usage }
  | { type: 'reset'; reason: string }
  | { type: 'end'; result: InferResult; trace: InferTrace };

export interface Usage {
  input: number;
  output: number;
  /** Part of `input` served from the endpoint's prefix cache. */
  cached?: number;
  /** Part of `output`. */
  reasoning?: number;
}

export interface LedgerRow {
  attemptId: string;
  jobId: string;
  workflow: string;
  stage: string;
  requestId: string;
  role: string;
  roleVersion: string;
  model: string;
  /** `http`: no model was asked but a paid service, such as one that searches; `model` names it. */
  provider: ProviderName | 'http';
  variant?: string;
  kind: 'call' | 'reask' | 'fallback' | 'hedge' | 'cache' | 'probe';
  routeReason?: string;
  state: 'open' | 'settled';
  outcome?: 'ok' | 'rejected' | 'error' | 'cancelled' | 'lapsed';
  errorCode?: string;
  tokensIn: number;
  tokensCached: number;
  tokensOut: number;
  tokensReasoning: number;
  /** The token counts are ours, not the endpoint's. */
  estimated: boolean;
  billed: 'yes' | 'no' | 'unknown';
  reservedMicros: number;
  costMicros: number;
  savedMicros: number;
  priceVersion: string;
  leaseId: string;
  attempt: number;
  latencyMs: number;
  firstTokenMs?: number;
  queuedMs: number;
  httpStatus?: number;
  startedAt: string;
  endedAt?: string;
  cacheKey: string;
}

// ------------------------------------------------------------------------------------------------ registry

export type ProviderName = 'sagemaker' | 'sagemaker-async' | 'openai' | 'gguf' | 'builtin' | 'replay';

export interface Price {
  /** ISO date from which it holds. */
  from: string;
  inputPerMTok: number;
  outputPerMTok: number;
  cachedInputPerMTok?: number;
}

export interface ModelEntry {
  name: string;
  provider: ProviderName;
  enabled: boolean;
  endpoint: {
    name?: string;
    region?: string;
    variant?: string;
    inferenceComponent?: string;
    url?: string;
    auth?: { type: 'none' } | { type: 'secret'; secret: string } | { type: 'oidc'; audience: string };
    file?: string;
    sha256?: string;
    mode?: 'strict' | 'record';
    upstream?: string;
  };
  codec: 'openai' | 'generate';
  /** Of the `generate` codec: a named template or Jinja text. */
  chatTemplate?: string;
  /** Of the `generate` codec: how the server spells stop strings (`stop`, or LMI's `stop_sequences`). Default `tgi`. */
  dialect?: 'tgi' | 'lmi';
  /** The model name the server knows. */
  served?: string;
  /** Changes with the weights; part of the cache key. */
  revision: string;
  contextTokens: number;
  maxOutputTokens: number;
  price: Price[];
  billing: 'token' | 'hour' | 'free';
  limits: { rpm: number; tpm: number; concurrency: number };
  features: { jsonSchema: boolean; tools: boolean; streaming: boolean; images: boolean; reasoning: boolean };
  tokenizer: string;
  imageTokens: number;
  timeoutMs: number;
  async?: { scaleToZero: boolean; ttlSeconds: number; invocationTimeoutSeconds: number };
  /** How AWS is to host it (infra-api-cli section 5). */
  deploy?: Record<string, unknown>;
}

export interface RouteEntry {
  name: string;
  policy: 'static' | 'cascade' | 'cheapest';
  models: string[];
}

export interface Registry {
  models: ReadonlyMap<string, ModelEntry>;
  routes: ReadonlyMap<string, RouteEntry>;
}

// ----------------------------------------------------------------------------------------------- providers

export interface ProviderCall {
  attemptId: string;
  model: ModelEntry;
  request: InferRequest;
  /** Stable over time-outs and restarts. */
  idempotencyKey: string;
  timeoutMs: number;
  signal: AbortSignal;
}

export interface ProviderReply {
  text: string;
  reasoning?: string;
  toolCalls?: { id?: string; name: string; argumentsText: string }[];
  finish: Finish;
  /** Absent where the endpoint reports none. */
  usage?: Usage;
  httpStatus?: number;
  /** Set by `builtin`: the output itself, already typed; `text` is its JSON. */
  firstTokenMs?: number;
}

export type ProviderDelta =
  | { type: 'text'; delta: string }
  | { type: 'reasoning'; delta: string }
  | { type: 'tool'; index: number; id?: string; name?: string; argumentsDelta: string }
  | { type: 'usage'; usage: Usage }
  | { type: 'finish'; finish: Finish };

/** A synchronous provider. Failures are thrown as ProviderError, nothing else. One HTTP request an attempt, no retries. */
export interface Provider {
  readonly name: ProviderName;
  call(call: ProviderCall): Promise<ProviderReply>;
  /** Where the endpoint can stream. */
  stream?(call: ProviderCall): AsyncIterable<ProviderDelta>;
  close?(): Promise<void>;
}

/** Why an attempt got no answer, classified by model-inference section 9. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly code: InferErrorCode;
  readonly billed: 'yes' | 'no' | 'unknown';
  readonly httpStatus: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly usage: Usage | undefined;
  /** The endpoint is still starting (ModelNotReadyException): worth retrying until the deadline, and no breaker fault. */
  readonly untilDeadline: boolean;
  /** Refused by this process itself: the endpoint was not asked, and is not to blame. */
  readonly unsent: boolean;
  /** Private, so that no log and no record shows it unasked: it may repeat a prompt. */
  readonly #said: string | undefined;

  constructor(
    code: InferErrorCode,
    message: string,
    details: {
      billed: 'yes' | 'no' | 'unknown';
      httpStatus?: number;
      retryAfterMs?: number;
      usage?: Usage;
      untilDeadline?: boolean;
      unsent?: boolean;
      said?: string;
      cause?: unknown;
    },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.billed = details.billed;
    this.httpStatus = details.httpStatus;
    this.retryAfterMs = details.retryAfterMs;
    this.usage = details.usage;
    this.untilDeadline = details.untilDeadline ?? false;
    this.unsent = details.unsent ?? false;
    this.#said = details.said;
  }

  /** The endpoint's own words, at most 2,000 characters, where it said why. */
  get said(): string | undefined {
    return this.#said;
  }
}

/** A role's own algorithm: deterministic in its input and rng. */
export type BuiltinAlgorithm = (input: never, rng: Rng) => unknown | Promise<unknown>;
