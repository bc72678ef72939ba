import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { defect, invalidInput } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Artifacts, Queue, Records, Workflows } from '../ports.ts';
import { lazily, remembered } from './lazy.ts';
import type { MachineNames } from './step-functions.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** SDK clients retry throttling and faults of the transport themselves before an adapter reports them. */
const CLIENT = { retryMode: 'standard', maxAttempts: 4 } as const;

function required(env: Environment, name: string): string {
  const value = env[name];
  if (value === undefined || value === '')
    throw defect(`The environment variable ${name} is not set (docs/storage.md).`);
  return value;
}

/** `on-result` is looked up as AGENTMILL_QUEUE_URL_ON_RESULT. */
export const queueVariable = (name: string): string =>
  `AGENTMILL_QUEUE_URL_${name.toUpperCase().replaceAll('-', '_')}`;

async function accountId(env: Environment): Promise<string> {
  if (env['AGENTMILL_ACCOUNT_ID']) return env['AGENTMILL_ACCOUNT_ID'];
  const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts');
  const { Account } = await new STSClient(CLIENT).send(new GetCallerIdentityCommand({}));
  return Account!;
}

/** AGENTMILL_MACHINE_PREFIX is a name prefix (`agentmill-prod-`), or the ARN up to and including it. */
async function machineNames(env: Environment): Promise<MachineNames> {
  const prefix = required(env, 'AGENTMILL_MACHINE_PREFIX');
  const alias = env['AGENTMILL_MACHINE_ALIAS'];
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'];
  if (!prefix.startsWith('arn:') && region === undefined) throw invalidInput('AWS_REGION is not set.');
  const partition = region?.startsWith('cn-')
    ? 'aws-cn'
    : region?.startsWith('us-gov-')
      ? 'aws-us-gov'
      : 'aws';
  const arnPrefix = prefix.startsWith('arn:')
    ? prefix
    : `arn:${partition}:states:${region}:${await accountId(env)}:stateMachine:${prefix}`;
  return { arnPrefix, ...(alias ? { alias } : {}) };
}

/**
 * The ports on AWS, bound by environment variables (docs/storage.md lists them). Nothing is loaded, and no variable
 * is missed, until a port is used. `AWS_ENDPOINT_URL` and its per-service variants are honoured by the SDK.
 */
export function awsRuntime(env: Environment): Runtime {
  const clock = systemClock;
  const buckets = new Map<string, Artifacts>();
  const queues = new Map<string, Queue>();

  const s3Client = remembered(async () => {
    const { S3Client } = await import('@aws-sdk/client-s3');
    return new S3Client({
      ...CLIENT,
      // Checksums are ours to give; where the SDK adds its own, streams would have to be chunk-encoded.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      forcePathStyle: Boolean(env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL']),
    });
  });
  const sqsClient = remembered(async () => {
    const { SQSClient } = await import('@aws-sdk/client-sqs');
    return new SQSClient(CLIENT);
  });
  const names = remembered(() => machineNames(env));

  const bucket = (name: string): Artifacts => {
    const load = async (): Promise<Artifacts> => {
      const { S3Artifacts } = await import('./s3.ts');
      return new S3Artifacts(name, await s3Client(), clock);
    };
    const known = buckets.get(name) ?? lazily<Artifacts>(load, { bucket: name });
    buckets.set(name, known);
    return known;
  };

  return {
    kind: 'aws',
    get artifacts() {
      return bucket(required(env, 'AGENTMILL_BUCKET'));
    },
    bucket,
    records: lazily<Records>(async () => {
      const [{ DynamoRecords }, { DynamoDBClient }] = await Promise.all([
        import('./dynamodb.ts'),
        import('@aws-sdk/client-dynamodb'),
      ]);
      return new DynamoRecords(new DynamoDBClient(CLIENT), required(env, 'AGENTMILL_TABLE'), clock);
    }),
    queue(name) {
      const load = async (): Promise<Queue> => {
        const { SqsQueue } = await import('./sqs.ts');
        return new SqsQueue(name, await sqsClient(), required(env, queueVariable(name)));
      };
      const known = queues.get(name) ?? lazily<Queue>(load, { name });
      queues.set(name, known);
      return known;
    },
    workflows: lazily<Workflows>(async () => {
      const [{ StepFunctionsWorkflows }, { SFNClient }] = await Promise.all([
        import('./step-functions.ts'),
        import('@aws-sdk/client-sfn'),
      ]);
      return new StepFunctionsWorkflows(new SFNClient(CLIENT), names);
    }),
    clock,
    ids: randomIds,
    env,
    writeLog: (line) => void process.stdout.write(`${line}\n`),
  };
}
