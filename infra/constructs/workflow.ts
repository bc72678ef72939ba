import { Duration, RemovalPolicy, Tags } from 'aws-cdk-lib';
import {
  Dashboard,
  GraphWidget,
  SingleValueWidget,
  type Alarm,
  type IMetric,
  type MathExpression,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Policy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import {
  CfnStateMachineAlias,
  CfnStateMachineVersion,
  DefinitionBody,
  LogLevel,
  StateMachine,
  StateMachineType,
} from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { definitionFile, definitionText } from '#functions/definitions.ts';
import { bundleOf } from '#functions/bundling.ts';
import { callsModels, usesSandbox, type WorkflowEntry } from '#shared/task/catalog.ts';
import { pascalCase, placeholdersOf } from '#shared/task/placeholders.ts';
import type { Context } from '../context.ts';
import { distributedMapLabels, mapObjects, nestedWorkflows } from '../definitions.ts';
import {
  capabilityStatements,
  machineStatements,
  mapRunStatements,
  nestedStatements,
  ownerStatement,
  type Resources,
} from '../iam.ts';
import { machineLogGroupName, machineName } from '../names.ts';
import { acknowledge, addStatement } from '../nag.ts';
import type { StageSettings } from '../stages.ts';
import { machineAlarms } from './machine-alarms.ts';
import { searchSum } from './search-sum.ts';
import { Task } from './task.ts';

export interface WorkflowProps {
  context: Context;
  settings: StageSettings;
  entry: WorkflowEntry;
  bucketName: string;
  resources: Resources;
  environment: Record<string, string>;
  alarmTopic: ITopic;
}

/** Where tasks that call models get identity tokens, when not from STS (shared/models/providers/oidc.ts). */
const identityEnvironment = ({ oidc }: Context): Record<string, string> => ({
  ...(oidc?.tokenUrl ? { AGENTMILL_OIDC_TOKEN_URL: oidc.tokenUrl } : {}),
  ...(oidc?.tokenFile ? { AGENTMILL_OIDC_TOKEN_FILE: oidc.tokenFile } : {}),
});

/** Any catalog entry as its functions, state machine, version, alias, alarms and dashboard. */
export class Workflow extends Construct {
  readonly machine: StateMachine;
  readonly alias: CfnStateMachineAlias;
  readonly tasks = new Map<string, Task>();
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: WorkflowProps) {
    super(scope, id);
    const { context, settings, entry } = props;
    for (const [task, spec] of Object.entries(entry.tasks)) {
      this.tasks.set(
        task,
        new Task(this, pascalCase(task), {
          context,
          settings,
          workflow: entry.name,
          task,
          ...bundleOf(entry.name, spec),
          memoryMb: spec.memoryMb,
          timeoutSeconds: spec.timeoutSeconds,
          ...(spec.architecture ? { architecture: spec.architecture } : {}),
          ...(spec.ephemeralMb ? { ephemeralMb: spec.ephemeralMb } : {}),
          statements: [
            ...capabilityStatements(spec.capabilities, props.resources),
            ...(spec.platform === 'begin' ? [ownerStatement(props.resources)] : []),
          ],
          environment: {
            ...props.environment,
            AGENTMILL_WORKFLOW: entry.name,
            AGENTMILL_TASK: task,
            ...(callsModels(spec) ? identityEnvironment(context) : {}),
            ...(usesSandbox(spec) ? { AGENTMILL_SANDBOX_FUNCTION: props.resources.sandboxArn } : {}),
          },
          inVpc: callsModels(spec),
        }),
      );
    }
    const role = this.machineRole(props);
    acknowledge(
      role,
      'AwsSolutions-IAM5[Resource::*]',
      'Log delivery of Step Functions and X-Ray have no resources to name; CDK adds exactly their documented actions.',
    );
    this.machine = this.makeMachine(props, role);
    const alarms = machineAlarms(this, {
      workflow: entry.name,
      prefix: machineName(context.stage, entry.name),
      machine: this.machine,
      functions: [...this.tasks.values()].map(({ fn }) => fn),
      topic: props.alarmTopic,
    });
    this.alias = this.release(settings, entry, alarms);
    this.dashboard = this.makeDashboard(context, entry);
    Tags.of(this).add('agentmill:workflow', entry.name);
  }

  private machineRole({ settings, entry, resources }: WorkflowProps): Role {
    const role = new Role(this, 'MachineRole', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: `What the ${entry.name} state machine may do`,
    });
    const functionArns = [...this.tasks.values()].map(({ fn }) => fn.functionArn);
    const definition = definitionText(entry);
    const does = { pinned: settings.pinVersions, maps: mapObjects(definition) };
    for (const spec of machineStatements(resources, functionArns, does)) addStatement(role, spec);
    const labels = distributedMapLabels(definition);
    if (labels.length > 0) {
      // A policy of its own: the role would name its machine in a cycle.
      const policy = new Policy(this, 'MapRuns', { roles: [role] });
      for (const spec of mapRunStatements(resources, labels)) addStatement(policy, spec);
    }
    const nested = nestedWorkflows(entry);
    if (nested.length > 0) {
      for (const spec of nestedStatements(resources, nested)) addStatement(role, spec);
    }
    return role;
  }

  private makeMachine({ context, settings, entry, ...props }: WorkflowProps, role: Role): StateMachine {
    const logGroup = new LogGroup(this, 'MachineLogs', {
      logGroupName: machineLogGroupName(context.stage, entry.name),
      retention: settings.logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    return new StateMachine(this, 'Machine', {
      stateMachineName: machineName(context.stage, entry.name),
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromFile(definitionFile(entry)),
      definitionSubstitutions: placeholdersOf(entry, {
        // A machine version pins its code in production: it names published function versions.
        functionArn: (task) => {
          const { fn } = this.tasks.get(task)!;
          return settings.pinVersions ? fn.currentVersion.functionArn : fn.functionArn;
        },
        bucketName: props.bucketName,
        machineArn: props.resources.machineArn,
      }),
      role,
      timeout: Duration.hours(entry.limits.timeoutHours),
      tracingEnabled: true,
      logs: { destination: logGroup, level: LogLevel.ALL, includeExecutionData: settings.logExecutionData },
    });
  }

  /** A retained version behind the alias `live`; production shifts a fifth of the starts a minute and rolls back on failures. */
  private release(settings: StageSettings, entry: WorkflowEntry, alarms: Alarm[]): CfnStateMachineAlias {
    const version = new CfnStateMachineVersion(this, 'Version', {
      stateMachineArn: this.machine.stateMachineArn,
      stateMachineRevisionId: this.machine.stateMachineRevisionId,
      description: entry.title,
    });
    version.applyRemovalPolicy(RemovalPolicy.RETAIN);
    return new CfnStateMachineAlias(this, 'Live', {
      name: 'live',
      description: 'The version that the API and the triggers start.',
      deploymentPreference: {
        stateMachineVersionArn: version.attrArn,
        ...(settings.pinVersions
          ? { type: 'LINEAR', interval: 1, percentage: 20, alarms: alarms.map((alarm) => alarm.alarmName) }
          : { type: 'ALL_AT_ONCE' }),
      },
    });
  }

  private makeDashboard(context: Context, entry: WorkflowEntry): Dashboard {
    // Searched, so that tasks and models (also those that overlays add) need no list here.
    const sum = (metricName: string): MathExpression =>
      searchSum(metricName, '{Agentmill,stage,workflow,task}', {
        stage: context.stage,
        workflow: entry.name,
      });
    const calls = (metricName: string): MathExpression =>
      searchSum(metricName, '{Agentmill/Inference,workflow,model}', { workflow: entry.name });
    const graph = (title: string, width: number, ...left: IMetric[]): GraphWidget =>
      new GraphWidget({ title, width, left });
    const { machine } = this;
    return new Dashboard(this, 'Dashboard', {
      dashboardName: machineName(context.stage, entry.name),
      widgets: [
        [
          new SingleValueWidget({
            title: 'Executions',
            width: 12,
            metrics: [
              machine.metricStarted(),
              machine.metricSucceeded(),
              machine.metricFailed(),
              machine.metricAborted(),
            ],
          }),
          graph('Duration', 12, machine.metricTime()),
        ],
        [
          graph('Items and rejects', 8, sum('ItemsIn'), sum('ItemsOut'), sum('Rejects')),
          graph('Model calls and cache hits', 8, calls('Calls'), calls('CacheHits'), calls('Throttles')),
          graph('Spend, micro-dollars', 8, calls('CostMicros')),
        ],
        [
          graph('Task errors', 12, ...[...this.tasks.values()].map(({ fn }) => fn.metricErrors())),
          graph('Throttles and early time-outs', 12, machine.metricThrottled(), sum('EarlyTimeouts')),
        ],
      ],
    });
  }
}
