/**
 * The four ports (DESIGN section 1; embedded-platform sections 6, 8 and 9). Each has an embedded adapter and an AWS
 * one, held to one contract suite. Errors are those of shared/task/errors.ts: a missing key is `NotFound`, a failed
 * precondition `Conflict`, a hostile key or an oversize body `InvalidInput`, a transport fault `StorageUnavailable`.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

// ---------------------------------------------------------------------------------------------- artifacts

/** What state payloads carry instead of content. `count` is the number of records of a JSONL object. */
export interface ArtifactRef {
  bucket?: string;
  key: string;
  sha256: string;
  bytes: number;
  count?: number;
}

export type Body = string | Uint8Array | AsyncIterable<Uint8Array>;

export interface PutOptions {
  /** Write only where no object is; else `Conflict`. */
  ifAbsent?: boolean;
  /** Write only over the object with this etag; else `Conflict` (`NotFound` where there is none). */
  ifMatch?: string;
  contentType?: string;
  metadata?: Record<string, string>;
  /** Object tags (`keep=work` drives a lifecycle rule on AWS; the embedded adapter stores them). */
  tags?: Record<string, string>;
}

export interface PutResult {
  etag: string;
  /** Hex SHA-256 of the body. */
  sha256: string;
  bytes: number;
}

export interface ArtifactHead {
  key: string;
  etag: string;
  bytes: number;
  /** Milliseconds since the epoch. */
  modified: number;
  /** Known where our adapters wrote the object. */
  sha256?: string;
  contentType?: string;
  metadata: Record<string, string>;
  versionId?: string;
}

export interface ArtifactBody extends ArtifactHead {
  /** The bytes asked for, streamed. `bytes` is the whole object's size even for a range. */
  body: AsyncIterable<Uint8Array>;
}

export interface ListOptions {
  prefix?: string;
  /** Group keys below the first delimiter after the prefix into `prefixes`. */
  delimiter?: string;
  /** Exclusive: keys (or prefixes) after this one, in byte order. */
  after?: string;
  /** 1..1000, default 1000. */
  limit?: number;
}

export interface ListPage {
  objects: { key: string; etag: string; bytes: number; modified: number }[];
  prefixes: string[];
  /** Pass as `after` for the next page; absent on the last. */
  next?: string;
}

/** One bucket. */
export interface Artifacts {
  readonly bucket: string;
  put(key: string, body: Body, options?: PutOptions): Promise<PutResult>;
  /** `range` in bytes, `end` exclusive. */
  get(key: string, options?: { range?: { start: number; end?: number } }): Promise<ArtifactBody>;
  head(key: string): Promise<ArtifactHead>;
  list(options?: ListOptions): Promise<ListPage>;
  copy(from: string, to: string): Promise<PutResult>;
  /** Idempotent: deleting what is not there succeeds. */
  delete(key: string): Promise<void>;
  /** A time-limited address for a client to read (or write, with `put`) the object itself. */
  presign(key: string, options: PresignOptions): Promise<{ url: string; headers: Record<string, string> }>;
}

export interface PresignOptions {
  method: 'GET' | 'PUT';
  expiresSeconds: number;
  contentType?: string;
  bytes?: number;
  /** Hex SHA-256 the upload must have. */
  sha256?: string;
}

/** What an object-created notification says (EventBridge `Object Created`). Keys are not URL-encoded. */
export interface ObjectCreated {
  bucket: string;
  key: string;
  bytes: number;
  etag: string;
  versionId?: string;
  time: number;
}

// ------------------------------------------------------------------------------------------------ records

export interface RecordKey {
  pk: string;
  sk: string;
}

/** One item of the table, at most 400 KB. `version` starts at 1 and rises by 1 with every write. */
export interface RecordItem extends RecordKey {
  attributes: Record<string, Json>;
  version: number;
  /** Seconds since the epoch; from then on the item is never returned. */
  ttl?: number;
  g1?: RecordKey;
  g2?: RecordKey;
}

/** Conditions on the attributes of the current item. `exists: false` holds for an absent item too. */
export type Condition =
  | { attribute: string; op: '=' | '<>' | '<' | '<=' | '>' | '>='; value: string | number | boolean }
  | { attribute: string; exists: boolean }
  | { all: Condition[] };

export interface WriteOptions {
  ifAbsent?: boolean;
  ifVersion?: number;
  condition?: Condition;
}

export interface RecordPut extends RecordKey {
  attributes: Record<string, Json>;
  ttl?: number;
  g1?: RecordKey;
  g2?: RecordKey;
}

export interface ConditionalPut {
  item: RecordPut;
  options?: WriteOptions;
}

/** Changes of top-level attributes; `add` is atomic and starts from 0. */
export interface RecordChange {
  set?: Record<string, Json>;
  remove?: string[];
  add?: Record<string, number>;
  ttl?: number;
  g1?: RecordKey;
  g2?: RecordKey;
}

export interface RecordQuery {
  index?: 'g1' | 'g2';
  pk: string;
  sk?:
    { prefix: string } | { between: [string, string] } | { op: '=' | '<' | '<=' | '>' | '>='; value: string };
  descending?: boolean;
  /** 1..1000, default 100. */
  limit?: number;
  /** Opaque, from the page before. */
  cursor?: string;
}

export interface RecordPage {
  items: RecordItem[];
  cursor?: string;
}

/** One table. Failed conditions throw `Conflict` with `data.current`: the item as it is, or null. */
export interface Records {
  get(key: RecordKey): Promise<RecordItem | undefined>;
  put(item: RecordPut, options?: WriteOptions): Promise<RecordItem>;
  /** Creates the item where there is none, unless a condition forbids it. */
  update(key: RecordKey, change: RecordChange, options?: WriteOptions): Promise<RecordItem>;
  delete(key: RecordKey, options?: Omit<WriteOptions, 'ifAbsent'>): Promise<void>;
  query(query: RecordQuery): Promise<RecordPage>;
  /** At most 100 keys; missing ones are left out. */
  batchGet(keys: RecordKey[]): Promise<RecordItem[]>;
  /** At most 25 items, each put unconditionally; not atomic across items. */
  batchPut(items: RecordPut[]): Promise<void>;
  /**
   * Puts of distinct items, each under its own conditions, in one commit: one that is refused does not hinder the
   * others. Outcomes in the order of the puts. Only adapters have it for which that is cheaper than single puts.
   * @throws StorageUnavailable when nothing was written.
   */
  putEach?(puts: readonly ConditionalPut[]): Promise<PromiseSettledResult<RecordItem>[]>;
}

// -------------------------------------------------------------------------------------------------- queue

export interface QueueMessage {
  messageId: string;
  body: string;
  receipt: string;
  /** How often it has been received, this time included. */
  receiveCount: number;
}

export interface SendResult {
  sent: { index: number; messageId: string }[];
  failed: { index: number; code: string; message: string }[];
}

/** One queue: at least once, order not promised, bodies up to 256 KiB. */
export interface Queue {
  readonly name: string;
  /** At most 10 messages; `delaySeconds` 0..900. */
  send(messages: { body: string; delaySeconds?: number }[]): Promise<SendResult>;
  receive(options?: {
    max?: number;
    waitSeconds?: number;
    visibilitySeconds?: number;
    signal?: AbortSignal;
  }): Promise<QueueMessage[]>;
  /** A stale receipt is ignored. */
  delete(receipt: string): Promise<void>;
  changeVisibility(receipt: string, seconds: number): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- workflows

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

export interface ExecutionDescription {
  executionArn: string;
  name: string;
  machine: string;
  status: ExecutionStatus;
  input: Json;
  output?: Json;
  error?: string;
  cause?: string;
  /** Milliseconds since the epoch. */
  started: number;
  stopped?: number;
  redriveCount: number;
}

export interface HistoryEvent {
  id: number;
  previousEventId: number;
  type: string;
  /** Milliseconds since the epoch. */
  timestamp: number;
  /** GetExecutionHistory's details object under its own name, such as `stateEnteredEventDetails`. */
  [details: string]: unknown;
}

export interface Workflows {
  /**
   * Starts an execution of a machine, by its name. A used name with equal input while it runs gives the same
   * execution; anything else under a used name is `Conflict` (ExecutionAlreadyExists).
   */
  start(request: {
    machine: string;
    name: string;
    input: Json;
  }): Promise<{ executionArn: string; started: number }>;
  describe(executionArn: string): Promise<ExecutionDescription>;
  list(query: {
    machine: string;
    status?: ExecutionStatus;
    limit?: number;
    cursor?: string;
  }): Promise<{ items: Omit<ExecutionDescription, 'input' | 'output'>[]; cursor?: string }>;
  stop(executionArn: string, reason?: { error?: string; cause?: string }): Promise<void>;
  redrive(executionArn: string): Promise<void>;
  history(
    executionArn: string,
    options?: { limit?: number; cursor?: string; descending?: boolean },
  ): Promise<{ events: HistoryEvent[]; cursor?: string }>;
  /** A closed token is `Conflict` (TaskTimedOut), an unknown one `InvalidInput` (InvalidToken). */
  sendTaskSuccess(token: string, output: Json): Promise<void>;
  sendTaskFailure(token: string, failure: { error?: string; cause?: string }): Promise<void>;
  sendTaskHeartbeat(token: string): Promise<void>;
}
