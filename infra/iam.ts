import { createHash } from 'node:crypto';
import type { Capability } from '#shared/task/catalog.ts';
import type { ModelEntry } from '#shared/models/types.ts';

/**
 * Capabilities turned into least-privilege statements (infra-api-cli section 6). Pure: ARNs come in as text, so that
 * the mapping can be read and tested without a stack.
 */
export interface StatementSpec {
  sid: string;
  actions: string[];
  resources: string[];
  conditions?: Record<string, Record<string, string | string[]>>;
  /** Why a wildcard in `resources` stands; needed exactly where there is one (cdk-nag AwsSolutions-IAM5). */
  wildcard?: string;
}

/** The resources that statements name. */
export interface Resources {
  partition: string;
  region: string;
  account: string;
  stage: string;
  workflow: string;
  bucketArn: string;
  tableArn: string;
  /** Customer key, when there is one. */
  kmsArn?: string;
  queueArn(name: string): string;
  machineArn(workflow: string): string;
  sandboxArn: string;
  /** Identity tokens come from elsewhere (context `oidc`), not from STS. */
  ownIdentityTokens?: boolean;
  models: readonly ModelEntry[];
  /** Names of every catalogued workflow. */
  workflows: readonly string[];
}

export const ITEM_ACTIONS = [
  'dynamodb:GetItem',
  'dynamodb:PutItem',
  'dynamodb:UpdateItem',
  'dynamodb:DeleteItem',
  'dynamodb:BatchGetItem',
  'dynamodb:Query',
];

/** The g1 partition under which shared/models/registry lists the overlays of models. */
const OVERLAYS = 'MODELS';

export const leadingKeys = (...keys: string[]): StatementSpec['conditions'] => ({
  'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys },
  // ForAllValues holds for an empty list too; without keys nothing may be asked.
  Null: { 'dynamodb:LeadingKeys': 'false' },
});

/** What every function may do; X-Ray offers no resources to name. */
export function alwaysStatements(): StatementSpec[] {
  return [
    {
      sid: 'Tracing',
      wildcard: 'X-Ray has no resources: these two actions can only be allowed on all.',
      actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
      resources: ['*'],
    },
  ];
}

/** The statements of a task's declared capabilities. @throws Error on a capability that names nothing known. */
export function capabilityStatements(capabilities: readonly Capability[], r: Resources): StatementSpec[] {
  const statements = capabilities.flatMap((capability) => statementsOf(capability, r));
  if (capabilities.some((capability) => /^(artifacts|records|queue|libraries|research)/.test(capability))) {
    statements.push(...keyStatements(r));
  }
  return mergeStatements(statements);
}

function statementsOf(capability: Capability, r: Resources): StatementSpec[] {
  const own = `${r.workflow}.*`;
  const at = capability.indexOf(':');
  const kind = at < 0 ? capability : capability.slice(0, at);
  const name = capability.slice(at + 1);
  switch (kind) {
    case 'artifacts':
      return name === 'read'
        ? [
            {
              sid: 'ReadArtifacts',
              wildcard:
                "Job ids are made at run time; the prefixes name one workflow's jobs, its arrivals, uploads and published outputs only.",
              actions: ['s3:GetObject', 's3:GetObjectVersion'],
              resources: [
                `${r.bucketArn}/jobs/${own}`,
                `${r.bucketArn}/ingest/${r.workflow}/*`,
                `${r.bucketArn}/uploads/*`,
                // Outputs of any job may be another job's input.
                `${r.bucketArn}/jobs/*/output/*`,
              ],
            },
            listStatement('ListArtifacts', r, [
              `jobs/${own}`,
              `ingest/${r.workflow}/*`,
              'uploads/*',
              'jobs/*/output/*',
            ]),
          ]
        : [
            {
              sid: 'WriteArtifacts',
              wildcard: "Job ids are made at run time; the prefix names one workflow's jobs only.",
              actions: ['s3:PutObject', 's3:PutObjectTagging', 's3:AbortMultipartUpload'],
              resources: [`${r.bucketArn}/jobs/${own}`],
            },
            {
              sid: 'ForgetOutputs',
              wildcard:
                "Job ids are made at run time; only markers and data files of one workflow's outputs are named.",
              actions: ['s3:DeleteObject'],
              // A resumed job first takes back the marker of the attempt before, and its data files beyond those of its own.
              resources: ['_SUCCESS', '_PARTIAL', 'data/*'].map(
                (name) => `${r.bucketArn}/jobs/${own}/output/${name}`,
              ),
            },
          ];
    case 'records':
      return [
        {
          sid: 'Records',
          actions: ITEM_ACTIONS,
          resources: [r.tableArn],
          conditions: leadingKeys(`JOB#${own}`, `BUDGET#${own}`, `LEDGER#${own}`)!,
        },
        overlayStatement(r),
      ];
    case 'libraries':
      return name === 'read' ? libraryStatements(r) : [publishStatement(r)];
    case 'research':
      return researchStatements(r);
    case 'queue':
      return [{ sid: 'Send', actions: ['sqs:SendMessage'], resources: [r.queueArn(name)] }];
    case 'models':
      return modelStatements(name, r);
    case 'sandbox':
      return [{ sid: 'Sandbox', actions: ['lambda:InvokeFunction'], resources: [r.sandboxArn] }];
    case 'workflows': {
      const workflow = name.replace(/^start:/, '');
      return [
        {
          sid: 'StartWorkflows',
          actions: ['states:StartExecution'],
          resources: [r.machineArn(workflow)],
          conditions: { StringEquals: { 'states:StateMachineQualifier': 'live' } },
        },
        {
          sid: 'StartedJobs',
          actions: ITEM_ACTIONS,
          resources: [r.tableArn],
          // Its record is written before it starts, its ledger read when it has ended.
          conditions: leadingKeys(...['JOB', 'BUDGET', 'LEDGER'].map((kind) => `${kind}#${workflow}.*`))!,
        },
      ];
    }
    case 'secrets':
      return [
        {
          sid: 'Secrets',
          wildcard: "Secrets Manager appends six random characters to a secret's name.",
          actions: ['secretsmanager:GetSecretValue'],
          resources: [secretArn(r, `agentmill/${r.stage}/${name}`)],
        },
      ];
    default:
      throw new Error(`The capability "${capability}" is not known.`);
  }
}

/** Published tool libraries: their files, and the records of their versions, aliases and counters. */
export const libraryStatements = (r: Resources): StatementSpec[] => [
  {
    sid: 'ReadLibraries',
    wildcard: 'Libraries and their versions are made at run time; a version never changes.',
    actions: ['s3:GetObject', 's3:GetObjectVersion'],
    resources: [`${r.bucketArn}/libraries/*`],
  },
  listStatement('ListLibraries', r, ['libraries/*']),
  {
    sid: 'LibraryRecords',
    actions: ITEM_ACTIONS,
    resources: [r.tableArn],
    conditions: leadingKeys('LIB#*', 'LIBRARIES')!,
  },
];

const publishStatement = (r: Resources): StatementSpec => ({
  sid: 'PublishLibraries',
  wildcard: 'Libraries and their versions are made at run time.',
  actions: ['s3:PutObject', 's3:PutObjectTagging', 's3:AbortMultipartUpload'],
  resources: [`${r.bucketArn}/libraries/*`],
});

/** Indexes of corpora, kept answers of research tools, and the runs of the workflow's agents. */
export const researchStatements = (r: Resources): StatementSpec[] => [
  {
    sid: 'Research',
    wildcard: 'Indexes and kept answers are named by hashes of what they hold.',
    actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
    resources: [`${r.bucketArn}/corpora/*`, `${r.bucketArn}/research/*`],
  },
  {
    sid: 'ForgetBuilds',
    wildcard: 'Unfinished indexes and those of a builder that came second are named by hashes.',
    actions: ['s3:DeleteObject'],
    resources: [`${r.bucketArn}/corpora/*/build/*`, `${r.bucketArn}/corpora/*/index-*.sqlite`],
  },
  listStatement('ListResearch', r, ['corpora/*', 'research/*']),
  {
    sid: 'ResearchRecords',
    actions: ITEM_ACTIONS,
    resources: [r.tableArn],
    conditions: leadingKeys('TOOLCALL#*', `RUN#${r.workflow}.*`)!,
  },
];

/** Listing below prefixes. Without it S3 answers 403, not 404, for objects that are not there: hence `IfExists`, since looking at one object names no prefix. */
export const listStatement = (sid: string, r: Resources, prefixes: string[]): StatementSpec => ({
  sid,
  actions: ['s3:ListBucket'],
  resources: [r.bucketArn],
  conditions: { StringLikeIfExists: { 's3:prefix': prefixes } },
});

/** Reading the registry's overlays, which whoever opens the registry does. */
export const overlayStatement = (r: Resources): StatementSpec => ({
  sid: 'ModelOverlays',
  actions: ['dynamodb:Query'],
  resources: [`${r.tableArn}/index/gsi1`],
  conditions: leadingKeys(OVERLAYS)!,
});

/** What `begin` does besides: it asks who owns a job whose output an input names. */
export const ownerStatement = (r: Resources): StatementSpec => ({
  sid: 'OwnersOfReferences',
  actions: ['dynamodb:GetItem'],
  resources: [r.tableArn],
  conditions: leadingKeys('JOB#*')!,
});

/** Secrets Manager appends a hyphen and six random characters to a secret's name. */
const secretArn = (r: Resources, name: string): string =>
  `arn:${r.partition}:secretsmanager:${r.region}:${r.account}:secret:${name}-??????`;

/** `models:<name>`, or `models:default` for every catalogued model. */
export function modelStatements(name: string, r: Resources): StatementSpec[] {
  const models = name === 'default' ? r.models : r.models.filter((model) => model.name === name);
  if (models.length === 0 && name !== 'default')
    throw new Error(`models:${name}: the registry has no such model.`);
  const statements: StatementSpec[] = [
    {
      sid: 'ModelRecords',
      actions: ITEM_ACTIONS,
      resources: [r.tableArn],
      conditions: leadingKeys(
        'CACHE#*',
        'LIMIT#*',
        'BREAKER#*',
        'ASYNC#*',
        'BATCH#*',
        `CHECKPOINT#${r.workflow}.*`,
      )!,
    },
    {
      sid: 'ModelArtifacts',
      wildcard: 'Cached answers are stored under their hashes.',
      actions: ['s3:GetObject', 's3:PutObject'],
      resources: [`${r.bucketArn}/cache/*`],
    },
    listStatement('ListModelArtifacts', r, ['cache/*', 'async/out/*', 'async/fail/*']),
    {
      sid: 'ModelOutputs',
      wildcard: 'SageMaker names the objects of asynchronous results.',
      actions: ['s3:GetObject'],
      resources: [`${r.bucketArn}/async/out/*`, `${r.bucketArn}/async/fail/*`],
    },
  ];
  for (const model of models) {
    if (model.provider === 'sagemaker' || model.provider === 'sagemaker-async') {
      const region = model.endpoint.region ?? r.region;
      statements.push({
        sid: model.provider === 'sagemaker' ? 'InvokeEndpoints' : 'InvokeAsyncEndpoints',
        actions:
          model.provider === 'sagemaker'
            ? ['sagemaker:InvokeEndpoint', 'sagemaker:InvokeEndpointWithResponseStream']
            : ['sagemaker:InvokeEndpointAsync'],
        resources: [
          `arn:${r.partition}:sagemaker:${region}:${r.account}:endpoint/${model.endpoint.name}`,
          ...(model.endpoint.inferenceComponent
            ? [
                `arn:${r.partition}:sagemaker:${region}:${r.account}:inference-component/${model.endpoint.inferenceComponent}`,
              ]
            : []),
        ],
      });
    }
    if (model.endpoint.auth?.type === 'oidc' && !r.ownIdentityTokens) {
      statements.push(identityStatement(model.endpoint.auth.audience));
    }
    if (model.endpoint.auth?.type === 'secret') {
      statements.push({
        sid: 'ModelSecrets',
        wildcard: "Secrets Manager appends six random characters to a secret's name.",
        actions: ['secretsmanager:GetSecretValue'],
        resources: [secretArn(r, model.endpoint.auth.secret)],
      });
    }
  }
  // Direct providers complete the token of the task that waits for them.
  statements.push({
    sid: 'CompleteTokens',
    actions: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
    resources: [r.machineArn(r.workflow)],
  });
  return statements;
}

/** Tokens of outbound identity federation as shared/models/providers/oidc.ts asks for them, and for one audience only. */
const identityStatement = (audience: string): StatementSpec => ({
  sid: `IdentityTokens${createHash('sha256').update(audience).digest('hex').slice(0, 8)}`,
  wildcard: 'GetWebIdentityToken has no resources to name: audience, algorithm and lifetime are conditions.',
  actions: ['sts:GetWebIdentityToken'],
  resources: ['*'],
  conditions: {
    'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': [audience] },
    // ForAllValues holds for an empty list too; without an audience there is no token.
    Null: { 'sts:IdentityTokenAudience': 'false' },
    StringEquals: { 'sts:SigningAlgorithm': 'RS256' },
    NumericLessThanEquals: { 'sts:DurationSeconds': '900' },
  },
});

/** What a state machine does: run its tasks, read its items, write its map results. */
export function machineStatements(
  r: Resources,
  functionArns: readonly string[],
  { pinned, maps }: { pinned: boolean; maps: { read: boolean; write: boolean } },
): StatementSpec[] {
  return [
    {
      sid: 'InvokeTasks',
      actions: ['lambda:InvokeFunction'],
      resources: functionArns.map((arn) => (pinned ? `${arn}:*` : arn)),
      ...(pinned ? { wildcard: 'A machine version names the function versions of its own deployment.' } : {}),
    },
    ...(maps.read
      ? [
          {
            sid: 'ReadItems',
            wildcard: "Job ids are made at run time; the prefix names one workflow's jobs only.",
            actions: ['s3:GetObject'],
            resources: [`${r.bucketArn}/jobs/${r.workflow}.*`],
          },
        ]
      : []),
    ...(maps.write
      ? [
          {
            sid: 'WriteMapResults',
            wildcard: 'Step Functions names the files of a map run.',
            actions: [
              's3:GetObject',
              's3:PutObject',
              's3:AbortMultipartUpload',
              's3:ListMultipartUploadParts',
            ],
            resources: [`${r.bucketArn}/mapruns/${r.workflow}.*`],
          },
        ]
      : []),
    ...(maps.read || maps.write ? keyStatements(r) : []),
  ];
}

/** What Distributed Maps do on their own machine; `fromFile` definitions grant none of it. */
export function mapRunStatements(r: Resources, labels: readonly string[]): StatementSpec[] {
  const machine = r.machineArn(r.workflow);
  const executions = machine.replace(':stateMachine:', ':execution:');
  return [
    { sid: 'StartChildren', actions: ['states:StartExecution'], resources: [machine] },
    {
      sid: 'FollowChildren',
      wildcard: 'Execution names are made at run time; the machine is one.',
      actions: ['states:DescribeExecution', 'states:StopExecution'],
      resources: [`${executions}:*`],
    },
    {
      sid: 'RedriveChildren',
      wildcard: 'Names of map children are made at run time; each Label of this machine is named.',
      actions: ['states:RedriveExecution'],
      resources: labels.map((label) => `${executions}/${label}:*`),
    },
  ];
}

/** What a machine does that waits for executions of other machines (`states:startExecution.sync:2`). */
export function nestedStatements(r: Resources, workflows: readonly string[]): StatementSpec[] {
  const machines = workflows.map((workflow) => r.machineArn(workflow));
  return [
    { sid: 'StartNested', actions: ['states:StartExecution'], resources: machines },
    {
      sid: 'FollowNested',
      wildcard: 'Execution names are made from job ids at run time; the machines are named.',
      actions: ['states:DescribeExecution', 'states:StopExecution'],
      resources: machines.map((machine) => `${machine.replace(':stateMachine:', ':execution:')}:*`),
    },
    {
      sid: 'NestedEnded',
      actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      resources: [
        `arn:${r.partition}:events:${r.region}:${r.account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule`,
      ],
    },
  ];
}

export const keyStatements = (r: Resources): StatementSpec[] =>
  r.kmsArn ? [{ sid: 'Key', actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [r.kmsArn] }] : [];

/** Joins statements with equal sid, actions and conditions. */
export function mergeStatements(statements: readonly StatementSpec[]): StatementSpec[] {
  const merged = new Map<string, StatementSpec>();
  for (const statement of statements) {
    const key = JSON.stringify([statement.sid, statement.actions, statement.conditions ?? null]);
    const before = merged.get(key);
    if (before) before.resources = [...new Set([...before.resources, ...statement.resources])];
    else merged.set(key, { ...statement, resources: [...statement.resources] });
  }
  return [...merged.values()];
}
