import {
  ITEM_ACTIONS,
  keyStatements,
  leadingKeys,
  libraryStatements,
  listStatement,
  mergeStatements,
  modelStatements,
  type Resources,
  type StatementSpec,
} from './iam.ts';

/** What the functions that stand before or between all workflows may do (infra-api-cli section 6). */

/** What on-result and its sweep do: complete asynchronous calls of every workflow. */
export function completionStatements(r: Resources): StatementSpec[] {
  return mergeStatements([
    {
      sid: 'CompletionRecords',
      actions: ITEM_ACTIONS,
      resources: [r.tableArn],
      conditions: leadingKeys(
        'ASYNC#*',
        'BATCH#*',
        'CACHE#*',
        'LEDGER#*',
        'BUDGET#*',
        'LIMIT#*',
        'BREAKER#*',
      )!,
    },
    {
      sid: 'CompletionLists',
      actions: ['dynamodb:Query'],
      resources: [`${r.tableArn}/index/gsi1`],
      conditions: leadingKeys('ASYNC#DUE', 'BATCH#LIVE', 'LEASE#*', 'MODELS')!,
    },
    listStatement('CompletionObjects', r, ['async/*', 'cache/*', 'jobs/*']),
    {
      sid: 'CompletionArtifacts',
      wildcard: 'Asynchronous results, cached answers and batches of every job are read by key.',
      actions: ['s3:GetObject'],
      resources: ['async/*', 'cache/*', 'jobs/*'].map((prefix) => `${r.bucketArn}/${prefix}`),
    },
    {
      sid: 'CompletionResults',
      wildcard: 'Assembled results of every job and cached answers are written by key.',
      actions: ['s3:PutObject', 's3:PutObjectTagging'],
      resources: ['cache/*', 'jobs/*'].map((prefix) => `${r.bucketArn}/${prefix}`),
    },
    {
      sid: 'CompleteTokens',
      actions: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
      resources: r.workflows.map((workflow) => r.machineArn(workflow)),
    },
    ...r.models.flatMap((model) =>
      model.provider === 'sagemaker-async'
        ? modelStatements(model.name, r).filter((s) => s.sid === 'InvokeAsyncEndpoints')
        : [],
    ),
    ...keyStatements(r),
  ]);
}

/** What the API does besides: it searches published libraries and runs their tools. */
export const apiStatements = (r: Resources): StatementSpec[] =>
  mergeStatements([
    ...entryStatements(r),
    // Its records are the whole table already.
    ...libraryStatements(r).filter(({ sid }) => sid !== 'LibraryRecords'),
    { sid: 'Sandbox', actions: ['lambda:InvokeFunction'], resources: [r.sandboxArn] },
  ]);

/** What the API, the triggers and the sweeper do: they stand before every workflow. */
export function entryStatements(r: Resources): StatementSpec[] {
  const executions = r.workflows.map(
    (workflow) => `${r.machineArn(workflow).replace(':stateMachine:', ':execution:')}:*`,
  );
  return [
    {
      sid: 'Records',
      actions: ITEM_ACTIONS,
      resources: [r.tableArn, `${r.tableArn}/index/gsi1`, `${r.tableArn}/index/gsi2`],
    },
    {
      sid: 'WriteUploads',
      wildcard: 'Upload ids are made at run time.',
      actions: ['s3:PutObject'],
      resources: [`${r.bucketArn}/uploads/*`],
    },
    {
      sid: 'WriteProblems',
      wildcard: 'Job ids are made at run time; the name of the object is one.',
      // What lies under jobs/ carries the tag of its retention, which is a permission of its own.
      actions: ['s3:PutObject', 's3:PutObjectTagging'],
      resources: [`${r.bucketArn}/jobs/*/problem.json`],
    },
    {
      sid: 'ReadObjects',
      wildcard: 'Arrivals, uploads and outputs have keys made at run time.',
      actions: ['s3:GetObject', 's3:GetObjectVersion'],
      resources: [`${r.bucketArn}/ingest/*`, `${r.bucketArn}/uploads/*`, `${r.bucketArn}/jobs/*/output/*`],
    },
    {
      sid: 'ListExecutions',
      actions: ['states:ListExecutions'],
      resources: r.workflows.map((workflow) => r.machineArn(workflow)),
    },
    listStatement('ListOutputs', r, ['jobs/*/output/*', 'ingest/*', 'uploads/*']),
    {
      sid: 'StartJobs',
      actions: ['states:StartExecution'],
      resources: r.workflows.map((workflow) => r.machineArn(workflow)),
      conditions: { StringEquals: { 'states:StateMachineQualifier': 'live' } },
    },
    {
      sid: 'FollowJobs',
      wildcard: 'Execution names are made from job ids at run time.',
      actions: ['states:DescribeExecution', 'states:StopExecution', 'states:RedriveExecution'],
      resources: executions,
    },
    ...keyStatements(r),
  ];
}
