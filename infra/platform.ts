import { ArnFormat, Aws, Tags, type App, type Stack } from 'aws-cdk-lib';
import type { ModelEntry } from '#shared/models/types.ts';
import { usesSandbox, type WorkflowEntry } from '#shared/task/catalog.ts';
import type { FrontRoute } from './constructs/http-api-front.ts';
import { readContext, type Context } from './context.ts';
import type { Resources } from './iam.ts';
import { functionName, machineName, machinePrefix, queueName, stackName } from './names.ts';
import { DataStack } from './stacks/data.ts';
import { EntryStack } from './stacks/entry.ts';
import { ModelsStack } from './stacks/models.ts';
import { OpsStack } from './stacks/ops.ts';
import { SandboxStack } from './stacks/sandbox.ts';
import { WorkflowStack } from './stacks/workflow.ts';
import { importShared } from './shared-values.ts';
import { settingsOf } from './stages.ts';

export interface PlatformProps {
  catalog: readonly WorkflowEntry[];
  models: readonly ModelEntry[];
  routes: readonly FrontRoute[];
  /** Release, for the tag `agentmill:version`. */
  version: string;
}

export interface PlatformStacks {
  context: Context;
  data: DataStack;
  models: ModelsStack;
  workflows: Map<string, WorkflowStack>;
  entry: EntryStack;
  ops: OpsStack;
  /** Where a task runs generated code, or the context gives images. */
  sandbox?: SandboxStack;
}

/** Builds every stack of one stage into an app (infra-api-cli section 2). Reads nothing but its arguments and context. */
export function buildPlatform(app: App, props: PlatformProps): PlatformStacks {
  const context = readContext(app.node.tryGetContext('agentmill'));
  const settings = settingsOf(context);
  const { stage } = context;
  const { catalog, models } = props;
  const options = (part: string) => ({
    stackName: stackName(stage, part),
    terminationProtection: settings.protect,
    description: `Agentmill ${stage}: ${part}`,
  });
  const data = new DataStack(app, stackName(stage, 'data'), {
    ...options('data'),
    context,
    settings,
    catalog,
  });
  const shared = importShared(stage);

  const resources = (stack: Stack, workflow: string): Resources => ({
    partition: stack.partition,
    region: stack.region,
    account: stack.account,
    stage,
    workflow,
    bucketArn: shared.bucketArn,
    tableArn: shared.tableArn,
    ...(context.kms ? { kmsArn: context.kms } : {}),
    queueArn: (name) =>
      stack.formatArn({
        service: 'sqs',
        resource: queueName(stage, name),
        arnFormat: ArnFormat.NO_RESOURCE_NAME,
      }),
    machineArn: (name) =>
      stack.formatArn({
        service: 'states',
        resource: 'stateMachine',
        resourceName: machineName(stage, name),
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    sandboxArn: stack.formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: functionName(stage, 'sandbox', 'python'),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    }),
    ...(context.oidc ? { ownIdentityTokens: true } : {}),
    models,
    workflows: catalog.map((entry) => entry.name),
  });
  const environment = {
    AGENTMILL_BUCKET: shared.bucketName,
    AGENTMILL_TABLE: shared.tableName,
    AGENTMILL_QUEUE_URL_STARTS: shared.startsUrl,
    // The whole ARN prefix, so that no function has to ask for its account.
    AGENTMILL_MACHINE_PREFIX: `arn:${Aws.PARTITION}:states:${Aws.REGION}:${Aws.ACCOUNT_ID}:stateMachine:${machinePrefix(stage)}`,
    AGENTMILL_MACHINE_ALIAS: 'live',
    AGENTMILL_VERSION: props.version,
    ...(context.search === undefined ? {} : { AGENTMILL_SEARCH: context.search }),
  };
  const common = { context, settings, shared, resources, environment };
  const modelsStack = new ModelsStack(app, stackName(stage, 'models'), {
    ...options('models'),
    ...common,
    models,
  });
  const workflows = new Map(
    catalog.map((entry) => [
      entry.name,
      new WorkflowStack(app, stackName(stage, `workflow-${entry.name}`), {
        ...options(`workflow-${entry.name}`),
        ...common,
        entry,
      }),
    ]),
  );
  const entry = new EntryStack(app, stackName(stage, 'entry'), {
    ...options('entry'),
    ...common,
    catalog,
    routes: props.routes,
  });
  const ops = new OpsStack(app, stackName(stage, 'ops'), {
    ...options('ops'),
    context,
    catalog,
    models,
    shared,
  });
  const python = catalog.some(({ tasks }) => Object.values(tasks).some(usesSandbox));
  const sandbox =
    python || context.images.sandbox || context.images.browser
      ? new SandboxStack(app, stackName(stage, 'sandbox'), {
          ...options('sandbox'),
          context,
          settings,
          python,
        })
      : undefined;
  // Imports by name tell CDK nothing of the order.
  for (const stack of [modelsStack, ...workflows.values(), entry, ops]) stack.addStackDependency(data);
  Tags.of(app).add('agentmill:stage', stage);
  Tags.of(app).add('agentmill:version', props.version);
  return { context, data, models: modelsStack, workflows, entry, ops, ...(sandbox ? { sandbox } : {}) };
}
