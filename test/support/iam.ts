import type { RecordKey, Records } from '#shared/storage/ports.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { INDEXES } from '#shared/storage/aws/record-expressions.ts';
import { isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/**
 * IAM over the embedded ports: what the AWS adapters would ask of S3, DynamoDB, SQS and Step Functions for each call of
 * a port is looked up in policies as they stand in templates, and what they do not allow is noted. A call goes on all
 * the same, so that one run finds everything.
 */

export interface Statement {
  Effect: 'Allow' | 'Deny';
  Action: string | string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

/** Values of condition keys of one request; a key that is not in the request is absent. */
export type RequestContext = Record<string, string[]>;

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

const like = (pattern: string, text: string): boolean =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  ).test(text);

const OPERATORS: Record<string, (allowed: string[], given: string[] | undefined) => boolean> = {
  StringEquals: (allowed, given) => given?.length === 1 && allowed.includes(given[0]!),
  StringLike: (allowed, given) => given?.length === 1 && allowed.some((one) => like(one, given[0]!)),
  StringLikeIfExists: (allowed, given) =>
    given === undefined || given.every((value) => allowed.some((one) => like(one, value))),
  'ForAllValues:StringLike': (allowed, given) =>
    (given ?? []).every((value) => allowed.some((one) => like(one, value))),
  Null: ([absent], given) => (given === undefined) === (absent === 'true'),
};

/** IAM's verdict on one request: something allows it, nothing denies it. @throws Error on an operator not known here. */
export function allowed(
  statements: readonly Statement[],
  action: string,
  resource: string,
  context: RequestContext = {},
): boolean {
  const holds = ({ Condition = {} }: Statement): boolean =>
    Object.entries(Condition).every(([operator, keys]) => {
      const check = OPERATORS[operator];
      if (!check) throw new Error(`The condition operator ${operator} is not known to this double of IAM.`);
      return Object.entries(keys).every(([key, values]) => check(list(values), context[key]));
    });
  const fits = (statement: Statement): boolean =>
    list(statement.Action).some((one) => like(one, action)) &&
    list(statement.Resource).some((one) => like(one, resource)) &&
    holds(statement);
  return (
    statements.some((one) => one.Effect === 'Allow' && fits(one)) &&
    !statements.some((one) => one.Effect === 'Deny' && fits(one))
  );
}

/** Every action on a resource that statements allow and none of some requests asks for, as `Sid: action resource`. */
export function unused(
  statements: readonly (Statement & { Sid?: string })[],
  requests: readonly { action: string; resource: string }[],
): string[] {
  return statements.flatMap(({ Effect, Sid = '', Action, Resource }) =>
    Effect === 'Deny'
      ? []
      : list(Action).flatMap((action) =>
          list(Resource)
            .filter(
              (pattern) => !requests.some((one) => like(action, one.action) && like(pattern, one.resource)),
            )
            .map((pattern) => `${Sid}: ${action} ${pattern}`),
        ),
  );
}

export interface Principal {
  statements: readonly Statement[];
  /** Told of each request that is not allowed. */
  onDenied(action: string, resource: string, context: RequestContext): void;
}

export interface Arns {
  bucket: string;
  table: string;
  queue(name: string): string;
  machine(workflow: string): string;
}

type Ask = (action: string, resource: string, context?: RequestContext) => void;

/** A runtime whose calls are looked up in a principal's policies. */
export function guarded(runtime: Runtime, principal: Principal, arns: Arns): Runtime {
  const ask: Ask = (action, resource, context = {}) => {
    if (!allowed(principal.statements, action, resource, context))
      principal.onDenied(action, resource, context);
  };
  const artifacts = guardedArtifacts(runtime.artifacts, ask, arns);
  const records = guardedRecords(runtime.records, ask, arns);
  const { workflows } = runtime;
  const execution = (arn: string): string => {
    const [machine, name] = arn.split(':').slice(-2) as [string, string];
    return `${arns.machine(machine).replace(':stateMachine:', ':execution:')}:${name}`;
  };
  const own = arns.machine(runtime.env.AGENTMILL_WORKFLOW ?? '*');
  const asked = <K extends keyof typeof workflows>(
    name: K,
    before: (...args: Parameters<(typeof workflows)[K]>) => void,
  ) => ({
    [name]: (...args: Parameters<(typeof workflows)[K]>) => {
      before(...args);
      return (workflows[name] as (...all: unknown[]) => unknown)(...args);
    },
  });
  const ports = {
    artifacts,
    records,
    bucket: (name: string) =>
      name === runtime.artifacts.bucket
        ? artifacts
        : guardedArtifacts(runtime.bucket(name), ask, { ...arns, bucket: `arn:aws:s3:::${name}` }),
    queue: (name: string) => {
      const queue = runtime.queue(name);
      return wrap(queue, {
        send: (...args: Parameters<typeof queue.send>) => {
          ask('sqs:SendMessage', arns.queue(name));
          return queue.send(...args);
        },
      });
    },
    workflows: wrap(workflows, {
      ...asked('start', ({ machine }) =>
        ask('states:StartExecution', arns.machine(machine), { 'states:StateMachineQualifier': ['live'] }),
      ),
      ...asked('describe', (arn) => ask('states:DescribeExecution', execution(arn))),
      ...asked('stop', (arn) => ask('states:StopExecution', execution(arn))),
      ...asked('redrive', (arn) => ask('states:RedriveExecution', execution(arn))),
      ...asked('history', (arn) => ask('states:GetExecutionHistory', execution(arn))),
      ...asked('list', ({ machine }) => ask('states:ListExecutions', arns.machine(machine))),
      ...asked('sendTaskSuccess', () => ask('states:SendTaskSuccess', own)),
      ...asked('sendTaskFailure', () => ask('states:SendTaskFailure', own)),
      ...asked('sendTaskHeartbeat', () => ask('states:SendTaskHeartbeat', own)),
    }),
  };
  return wrap(runtime, ports);
}

/** An object with some members replaced; the others work on the object itself. */
function wrap<T extends object>(object: T, members: Record<string, unknown>): T {
  return new Proxy(object, {
    get(target, name) {
      if (typeof name === 'string' && Object.hasOwn(members, name)) return members[name];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** What shared/storage/aws/s3.ts asks of S3. */
function guardedArtifacts(artifacts: Artifacts, ask: Ask, { bucket }: Arns): Artifacts {
  const object = (key: string): string => `${bucket}/${key}`;
  const put = (key: string, tagged: boolean): void => {
    ask('s3:PutObject', object(key));
    // Objects of jobs carry the tag of their retention.
    if (tagged || key.startsWith('jobs/')) ask('s3:PutObjectTagging', object(key));
  };
  /** Without leave to list, S3 refuses what is not there instead of saying so. */
  const missing = (error: unknown): never => {
    if (isError(error, 'NotFound')) ask('s3:ListBucket', bucket);
    throw error;
  };
  return wrap(artifacts, {
    put: (key: string, ...rest: [Parameters<Artifacts['put']>[1], Parameters<Artifacts['put']>[2]?]) => {
      put(key, Object.keys(rest[1]?.tags ?? {}).length > 0);
      if (rest[1]?.ifMatch !== undefined) ask('s3:GetObject', object(key));
      return artifacts.put(key, ...rest);
    },
    get: (key: string, options?: Parameters<Artifacts['get']>[1]) => {
      ask('s3:GetObject', object(key));
      return artifacts.get(key, options).catch(missing);
    },
    head: (key: string) => {
      ask('s3:GetObject', object(key));
      return artifacts.head(key).catch(missing);
    },
    list: (options: Parameters<Artifacts['list']>[0] = {}) => {
      ask('s3:ListBucket', bucket, options.prefix === undefined ? {} : { 's3:prefix': [options.prefix] });
      return artifacts.list(options);
    },
    copy: (from: string, to: string) => {
      ask('s3:GetObject', object(from));
      put(to, false);
      ask('s3:GetObject', object(to));
      return artifacts.copy(from, to);
    },
    delete: (key: string) => {
      ask('s3:DeleteObject', object(key));
      return artifacts.delete(key);
    },
    presign: (key: string, options: Parameters<Artifacts['presign']>[1]) => {
      // Whoever uses the address does so with the signer's leave.
      ask(options.method === 'GET' ? 's3:GetObject' : 's3:PutObject', object(key));
      return artifacts.presign(key, options);
    },
  });
}

/** What shared/storage/aws/dynamodb.ts asks of DynamoDB. */
function guardedRecords(records: Records, ask: Ask, { table }: Arns): Records {
  const on = (actions: string[], pks: string[], resource = table): void => {
    for (const action of actions)
      ask(`dynamodb:${action}`, resource, { 'dynamodb:LeadingKeys': [...new Set(pks)] });
  };
  const replaced = {
    get: (key: RecordKey) => {
      on(['GetItem'], [key.pk]);
      return records.get(key);
    },
    put: (...args: Parameters<Records['put']>) => {
      on(['GetItem', 'PutItem'], [args[0].pk]);
      return records.put(...args);
    },
    update: (...args: Parameters<Records['update']>) => {
      // An expired item is read, and deleted before it is written anew.
      on(['UpdateItem', 'GetItem', 'DeleteItem'], [args[0].pk]);
      return records.update(...args);
    },
    delete: (...args: Parameters<Records['delete']>) => {
      on(['GetItem', 'DeleteItem'], [args[0].pk]);
      return records.delete(...args);
    },
    query: (query: Parameters<Records['query']>[0]) => {
      on(['Query'], [query.pk], query.index ? `${table}/index/${INDEXES[query.index].name}` : table);
      return records.query(query);
    },
    batchGet: (keys: RecordKey[]) => {
      if (keys.length > 0)
        on(
          ['BatchGetItem'],
          keys.map(({ pk }) => pk),
        );
      return records.batchGet(keys);
    },
    batchPut: (items: Parameters<Records['batchPut']>[0]) => {
      for (const { pk } of items) on(['GetItem', 'PutItem'], [pk]);
      return records.batchPut(items);
    },
    putEach:
      records.putEach &&
      ((puts: Parameters<NonNullable<Records['putEach']>>[0]) => {
        for (const { item } of puts) on(['GetItem', 'PutItem'], [item.pk]);
        return records.putEach!(puts);
      }),
  };
  return wrap(records, replaced);
}
