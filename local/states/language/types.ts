import type { Json } from '#shared/storage/ports.ts';

/** The compiled form of a state machine: what `language/` makes from a definition and `engine/` runs. */

export interface Diagnostic {
  severity: 'ERROR' | 'WARNING';
  code:
    | 'SCHEMA_VALIDATION_FAILED'
    | 'MISSING_TRANSITION_TARGET'
    | 'MISSING_END_STATE'
    | 'INVALID_JSONATA_EXPRESSION'
    | 'UNSUPPORTED_JSONATA_EXPRESSION'
    | 'UNSUPPORTED_RESOURCE'
    | 'VARIABLE_CONFLICT';
  message: string;
  /** JSON Pointer into the definition. */
  location: string;
}

export interface ValidationResult {
  result: 'OK' | 'FAIL';
  diagnostics: Diagnostic[];
}

/** A field's value in which every `{% … %}` text is compiled; evaluated by `evaluate()`. Opaque to the engine. */
export interface Template {
  /** Field grammar of causes and events: `Output`, `Choices[1]/Condition`, `Catch[0]/Assign`. */
  readonly field: string;
  /** The definition's text or value, as written. */
  readonly source: Json;
  /** True where no expression occurs: the value is `source` itself. */
  readonly constant: boolean;
}

/** What expressions of one state visit can see. */
export interface Scope {
  stateName: string;
  /** Id of the event that entered the state, for causes: `(entered at the event id #2)`. */
  enteredEventId: number;
  input: Json;
  context: Json;
  variables: ReadonlyMap<string, Json>;
  /** Present on success paths of Task, Parallel and Map. */
  result?: Json;
  /** Present in a catcher's Assign and Output. */
  errorOutput?: Json;
  /** Engine clock in milliseconds since the epoch, for `$now()` and `$millis()`. */
  now: number;
  /** Source of `$random()` and `$uuid()`; the system's where absent. */
  entropy?: { random(): number; uuid(): string };
}

/** An expression or a result type failed: `States.QueryEvaluationError`, or a data limit. */
export class EvaluationFailure extends Error {
  override readonly name = 'EvaluationFailure';
  readonly error: string;
  readonly cause_: string;
  /** Field grammar, such as `Output/a/b[0]`. */
  readonly location: string;
  constructor(error: string, cause: string, location: string) {
    super(cause);
    this.error = error;
    this.cause_ = cause;
    this.location = location;
  }
}

export interface Retrier {
  errorEquals: string[];
  intervalSeconds: number;
  backoffRate: number;
  maxAttempts: number;
  maxDelaySeconds?: number;
  jitter: 'NONE' | 'FULL';
}

export interface Catcher {
  errorEquals: string[];
  next: string;
  assign?: Template;
  output?: Template;
}

interface Base {
  name: string;
  comment?: string;
  assign?: Template;
  output?: Template;
  /** Absent on End, Choice, Succeed and Fail. */
  next?: string;
}

/** A task's resource, parsed: `lambda:invoke.waitForTaskToken` is `{ service: 'lambda', action: 'invoke', pattern: 'token' }`. */
export interface TaskResource {
  arn: string;
  /** `function` for a Lambda function ARN; else the integration's service, such as `lambda`, `sqs`, `aws-sdk:s3`. */
  service: string;
  action: string;
  pattern: 'request' | 'token' | 'sync';
}

export interface TaskState extends Base {
  type: 'Task';
  resource: TaskResource;
  arguments?: Template;
  timeoutSeconds?: Template;
  heartbeatSeconds?: Template;
  retry: Retrier[];
  catch: Catcher[];
}

export interface PassState extends Base {
  type: 'Pass';
}

export interface ChoiceState extends Base {
  type: 'Choice';
  choices: { condition: Template; next: string; assign?: Template; output?: Template }[];
  default?: string;
}

export interface WaitState extends Base {
  type: 'Wait';
  seconds?: Template;
  timestamp?: Template;
}

export interface SucceedState extends Base {
  type: 'Succeed';
}

export interface FailState extends Base {
  type: 'Fail';
  error?: Template;
  causeText?: Template;
}

export interface ParallelState extends Base {
  type: 'Parallel';
  arguments?: Template;
  branches: States[];
  retry: Retrier[];
  catch: Catcher[];
}

export interface MapState extends Base {
  type: 'Map';
  items?: Template;
  itemSelector?: Template;
  maxConcurrency?: Template;
  toleratedFailureCount?: Template;
  toleratedFailurePercentage?: Template;
  processor: States;
  retry: Retrier[];
  catch: Catcher[];
  /** Present on a Distributed Map. */
  distributed?: {
    executionType: 'STANDARD' | 'EXPRESS';
    label?: string;
    reader?: {
      resource: 's3:getObject' | 's3:listObjectsV2';
      arguments: Template;
      inputType?: 'JSON' | 'JSONL' | 'CSV';
      itemsPointer?: Template;
      csvHeaderLocation?: 'FIRST_ROW' | 'GIVEN';
      csvHeaders?: string[];
      csvDelimiter?: 'COMMA' | 'PIPE' | 'SEMICOLON' | 'SPACE' | 'TAB';
      transformation?: 'NONE' | 'LOAD_AND_FLATTEN';
      maxItems?: Template;
    };
    batcher?: { maxItems?: Template; maxBytes?: Template; batchInput?: Template };
    writer?: {
      resource?: 's3:putObject';
      arguments?: Template;
      transformation: 'NONE' | 'COMPACT' | 'FLATTEN';
      outputType: 'JSON' | 'JSONL';
    };
  };
}

export type State =
  TaskState | PassState | ChoiceState | WaitState | SucceedState | FailState | ParallelState | MapState;

/** One `States` object: a machine, a branch or an item processor. */
export interface States {
  startAt: string;
  states: ReadonlyMap<string, State>;
}

export interface Machine extends States {
  comment?: string;
  timeoutSeconds?: Template;
  /** SHA-256 of the canonical definition. */
  sha256: string;
  definition: Json;
}
