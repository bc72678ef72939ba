import { describe, expect, test } from 'vitest';
import { nestedWorkflows } from '#infra/definitions.ts';
import {
  capabilityStatements,
  nestedStatements,
  ownerStatement,
  type Resources,
  type StatementSpec,
} from '#infra/iam.ts';
import { completionStatements, entryStatements } from '#infra/service-statements.ts';
import { aliasKey, batchKey, callKey, DUE_CALLS, LIVE_BATCHES } from '#shared/models/batch/async/records.ts';
import { budgetKey, LEASE_LISTS } from '#shared/models/budget/item.ts';
import { ledgerPk } from '#shared/models/ledger/row.ts';
import { planAsync } from '#shared/models/providers/sagemaker-async.ts';
import { readOverlays } from '#shared/models/registry/overlay.ts';
import { INDEXES } from '#shared/storage/aws/record-expressions.ts';
import { queueVariable } from '#shared/storage/aws/runtime.ts';
import type { RecordQuery, Records } from '#shared/storage/ports.ts';
import deepResearch from '#functions/deep-research/workflow.ts';
import researchQuestions from '#functions/research-questions/workflow.ts';
import { platform } from '#shared/task/catalog.ts';
import { corpusKeys } from '#shared/research/corpus/settings.ts';
import { toolCallPk } from '#shared/research/cache/tool-cache.ts';
import { outputKey } from '#shared/task/finish.ts';
import { activePk, jobPk } from '#shared/task/job-records.ts';
import { Template } from 'aws-cdk-lib/assertions';
import { buildFixture, sampleModel } from './fixture.ts';

/** What the code reads and writes against what its role allows: the names live in both. */

const TABLE = 'arn:aws:dynamodb:eu-west-1:1:table/t';
const BUCKET = 'arn:aws:s3:::b';
const resources = (workflow: string): Resources => ({
  partition: 'aws',
  region: 'eu-west-1',
  account: '1',
  stage: 'dev',
  workflow,
  bucketArn: BUCKET,
  tableArn: TABLE,
  queueArn: (name) => `arn:aws:sqs:eu-west-1:1:${name}`,
  machineArn: (name) => `arn:aws:states:eu-west-1:1:stateMachine:agentmill-dev-${name}`,
  sandboxArn: 'arn:aws:lambda:eu-west-1:1:function:sandbox',
  models: [sampleModel()],
  workflows: ['sample', 'other'],
});

const like = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's').test(text);

/** IAM's verdict, for the conditions in use. */
const allows = (statements: StatementSpec[], action: string, resource: string, key?: string): boolean =>
  statements.some(({ actions, resources: patterns, conditions }) => {
    if (!actions.includes(action) || !patterns.some((pattern) => like(pattern, resource))) return false;
    const keys = conditions?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'];
    return keys === undefined || (key !== undefined && [keys].flat().some((pattern) => like(pattern, key)));
  });

const JOB = 'sample.abcdefghijklmnopqrstuvwxyz';
const FOREIGN = 'other.abcdefghijklmnopqrstuvwxyz';
const own = resources('sample');
const task = capabilityStatements(['artifacts:read', 'artifacts:write', 'records'], own);
const infer = capabilityStatements(platform.infer(['models:default']).capabilities, own);
const completion = completionStatements(resources('inference'));
const entry = entryStatements(resources('*'));
const index = (name: keyof typeof INDEXES): string => `${TABLE}/index/${INDEXES[name].name}`;

const ASYNC = planAsync({ jobId: JOB, requestHash: 'h', ordinal: 0 });
const shared = ['CACHE#h', 'LIMIT#big-async#rpm', 'BREAKER#big-async'];
const asynchronous = [callKey('a').pk, batchKey('b').pk, aliasKey('k').pk];

describe('permissions follow the keys that the code uses', () => {
  test.each([
    ['a task', task, [jobPk(JOB), activePk('sample'), budgetKey(JOB).pk, ledgerPk(JOB, '0')]],
    ['infer', infer, [jobPk(JOB), ledgerPk(JOB, 'f'), `CHECKPOINT#${JOB}#x`, ...shared, ...asynchronous]],
    ['on-result', completion, [budgetKey(JOB).pk, ledgerPk(JOB, '0'), ...shared, ...asynchronous]],
    ['the entry', entry, [jobPk(JOB), activePk('sample'), 'UPLOAD#owner', budgetKey(JOB).pk]],
  ])('records of %s', (_who, statements, keys) => {
    for (const key of keys) {
      for (const action of ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query', 'BatchGetItem']) {
        expect(allows(statements, `dynamodb:${action}`, TABLE, key), `${action} ${key}`).toBe(true);
      }
    }
  });

  test("[infra-api-cli 11] no task touches another workflow's records and work", () => {
    for (const statements of [task, infer]) {
      for (const key of [jobPk(FOREIGN), activePk('other'), budgetKey(FOREIGN).pk, ledgerPk(FOREIGN, '0')]) {
        expect(allows(statements, 'dynamodb:GetItem', TABLE, key), key).toBe(false);
        expect(allows(statements, 'dynamodb:PutItem', TABLE, key), key).toBe(false);
      }
      expect(allows(statements, 's3:GetObject', `${BUCKET}/jobs/${FOREIGN}/plan/x.jsonl`)).toBe(false);
      expect(allows(statements, 's3:PutObject', `${BUCKET}/${outputKey(FOREIGN, 'x')}`)).toBe(false);
    }
    // begin alone asks whose a job is, and changes nothing.
    const begin = [...task, ownerStatement(own)];
    expect(allows(begin, 'dynamodb:GetItem', TABLE, jobPk(FOREIGN))).toBe(true);
    expect(allows(begin, 'dynamodb:UpdateItem', TABLE, jobPk(FOREIGN))).toBe(false);
  });

  test('lists are read from the indexes that hold them', async () => {
    const asked: RecordQuery[] = [];
    await readOverlays({
      query: (query: RecordQuery) => {
        asked.push(query);
        return Promise.resolve({ items: [] });
      },
    } as Partial<Records> as Records);
    for (const { index: name, pk } of asked) {
      for (const statements of [task, infer, completion, entry])
        expect(allows(statements, 'dynamodb:Query', index(name!), pk), pk).toBe(true);
    }
    for (const pk of [...LEASE_LISTS, DUE_CALLS, LIVE_BATCHES])
      expect(allows(completion, 'dynamodb:Query', index('g1'), pk), pk).toBe(true);
    for (const [name, pk] of [
      ['g1', 'OWNER#o'],
      ['g2', 'WORKFLOW#sample'],
    ] as const)
      expect(allows(entry, 'dynamodb:Query', index(name), pk), pk).toBe(true);
    expect(allows(task, 'dynamodb:Query', index('g1'), 'OWNER#o')).toBe(false);
  });

  test('objects of asynchronous calls, answers and outputs', () => {
    for (const key of [ASYNC.inputKey, 'cache/ab/abcd.json', `jobs/${JOB}/infer/results.jsonl`])
      expect(allows(infer, 's3:PutObject', `${BUCKET}/${key}`), key).toBe(true);
    for (const key of [ASYNC.outputKey, ASYNC.failureKey, ASYNC.inputKey])
      for (const statements of [infer, completion])
        expect(allows(statements, 's3:GetObject', `${BUCKET}/${key}`), key).toBe(true);
    for (const statements of [task, completion])
      expect(allows(statements, 's3:PutObject', `${BUCKET}/jobs/${JOB}/x.json`)).toBe(true);
    expect(allows(entry, 's3:PutObject', `${BUCKET}/uploads/o/u/file.jsonl`)).toBe(true);
    expect(allows(entry, 's3:PutObject', `${BUCKET}/${outputKey(JOB, 'data.jsonl')}`)).toBe(false);
    expect(allows(entry, 's3:GetObject', `${BUCKET}/${outputKey(JOB, 'manifest.json')}`)).toBe(true);
    // Without it a missing object would be a refusal, not a NotFound.
    for (const statements of [task, infer, completion, entry])
      expect(allows(statements, 's3:ListBucket', BUCKET)).toBe(true);
  });

  test('table, index and environment names are those of the adapters', () => {
    const { stacks } = buildFixture();
    const [table] = Object.values(Template.fromStack(stacks.data).findResources('AWS::DynamoDB::Table'));
    expect(table!.Properties.KeySchema).toEqual([
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ]);
    expect(
      (table!.Properties.GlobalSecondaryIndexes as { IndexName: string; KeySchema: unknown }[]).map(
        ({ IndexName, KeySchema }) => ({ IndexName, KeySchema }),
      ),
    ).toEqual(
      Object.values(INDEXES).map(({ name, pk, sk }) => ({
        IndexName: name,
        KeySchema: [
          { AttributeName: pk, KeyType: 'HASH' },
          { AttributeName: sk, KeyType: 'RANGE' },
        ],
      })),
    );
    for (const stack of [stacks.models, stacks.entry, stacks.workflows.get('sample')!]) {
      for (const fn of Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function'))) {
        expect(Object.keys(fn.Properties.Environment.Variables as object)).toEqual(
          expect.arrayContaining([
            'AGENTMILL_STAGE',
            'AGENTMILL_BUCKET',
            'AGENTMILL_TABLE',
            'AGENTMILL_MACHINE_PREFIX',
            'AGENTMILL_MACHINE_ALIAS',
            queueVariable('starts'),
          ]),
        );
      }
    }
  });
}, 120_000);

describe('a machine that waits for other machines', () => {
  test('may start, follow and stop the executions of those, and be told of their ends', () => {
    expect([deepResearch, researchQuestions].map((entry) => nestedWorkflows(entry))).toEqual([
      [],
      ['deep-research'],
    ]);
    const statements = nestedStatements(own, ['other']);
    const machine = (name: string): string => own.machineArn(name);
    const execution = (name: string): string =>
      `${machine(name).replace(':stateMachine:', ':execution:')}:${FOREIGN}.1`;
    expect(allows(statements, 'states:StartExecution', machine('other'))).toBe(true);
    for (const action of ['states:DescribeExecution', 'states:StopExecution']) {
      expect(allows(statements, action, execution('other'))).toBe(true);
      expect(allows(statements, action, execution('sample'))).toBe(false);
    }
    expect(allows(statements, 'states:StartExecution', machine('sample'))).toBe(false);
    const rule = 'arn:aws:events:eu-west-1:1:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule';
    for (const action of ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'])
      expect(allows(statements, action, rule)).toBe(true);
  });
});

const READS_INDEX: Record<string, string[]> = {
  'deep-research': ['index-corpus', 'slice'],
  'research-questions': ['index-corpus', 'plan-round', 'shard', 'rubric'],
};

describe('research', () => {
  test('belongs to every task that builds or reads the index of a corpus', () => {
    const lacking = [deepResearch, researchQuestions].flatMap(({ name, tasks }) =>
      Object.entries(tasks).flatMap(([key, { capabilities }]) =>
        READS_INDEX[name]!.includes(key) && !capabilities.includes('research') ? [`${name}/${key}`] : [],
      ),
    );
    expect(lacking).toEqual([]);
  });

  const research = capabilityStatements(['research', 'secrets:search'], own);
  const keys = corpusKeys('c-0123456789abcdef');
  const at = (key: string): string => `${BUCKET}/${key}`;

  test('builds and reads indexes, and forgets only unfinished and second ones', () => {
    for (const key of [
      keys.info,
      keys.index('ab'.repeat(32)),
      keys.rejects,
      keys.build(JOB),
      'research/bodies/h.json',
    ])
      for (const action of ['s3:GetObject', 's3:PutObject'])
        expect(allows(research, action, at(key)), key).toBe(true);
    for (const key of [keys.build(JOB), keys.index('ab'.repeat(32))])
      expect(allows(research, 's3:DeleteObject', at(key)), key).toBe(true);
    for (const key of [keys.info, keys.rejects, 'research/bodies/h.json', 'libraries/x'])
      expect(allows(research, 's3:DeleteObject', at(key)), key).toBe(false);
  });

  test('keeps the answers of tools and the runs of its own jobs', () => {
    expect(allows(research, 'dynamodb:PutItem', TABLE, toolCallPk('k'))).toBe(true);
    expect(allows(research, 'dynamodb:PutItem', TABLE, `RUN#${JOB}#r-1`)).toBe(true);
    expect(allows(research, 'dynamodb:PutItem', TABLE, `RUN#${FOREIGN}#r-1`)).toBe(false);
    const secrets = research.filter(({ actions }) => actions.includes('secretsmanager:GetSecretValue'));
    expect(secrets.flatMap((one) => one.resources)).toEqual([
      'arn:aws:secretsmanager:eu-west-1:1:secret:agentmill/dev/search-??????',
    ]);
  });

  test('the context field search names the provider for all functions, and is checked', () => {
    const { stacks } = buildFixture({ context: { search: 'serper' } });
    const functions = Object.values(
      Template.fromStack(stacks.workflows.get('sample')!).findResources('AWS::Lambda::Function'),
    );
    const searching = functions.filter(
      ({ Properties }) => Properties.Environment?.Variables?.AGENTMILL_SEARCH === 'serper',
    );
    expect(searching.length).toBeGreaterThan(1);
    expect(() => buildFixture({ context: { search: 'bing' } })).toThrow(
      /search: AGENTMILL_SEARCH is neither a preset/,
    );
  });
});
