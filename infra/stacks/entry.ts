import { ArnFormat, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { EventField, Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Topic, type ITopic } from 'aws-cdk-lib/aws-sns';
import { Queue, type IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { services } from '#functions/services.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { pascalCase } from '#shared/task/placeholders.ts';
import { HttpApiFront, PROMPT_ROUTES, type FrontRoute } from '../constructs/http-api-front.ts';
import { alarmAbove } from '../constructs/machine-alarms.ts';
import { Task } from '../constructs/task.ts';
import type { Context } from '../context.ts';
import type { Resources } from '../iam.ts';
import { apiStatements, entryStatements } from '../service-statements.ts';
import { machineName, rulePrefix } from '../names.ts';
import type { SharedValues } from '../shared-values.ts';
import type { StageSettings } from '../stages.ts';
import { START_TIMEOUT } from './data.ts';

/** Longer than any route waits (20 s for events), shorter than the 30 s after which an HTTP API gives up. */
export const API_TIMEOUT = Duration.seconds(28);

export interface EntryStackProps extends StackProps {
  context: Context;
  settings: StageSettings;
  catalog: readonly WorkflowEntry[];
  routes: readonly FrontRoute[];
  resources(stack: Stack, workflow: string): Resources;
  environment: Record<string, string>;
  shared: SharedValues;
}

/** The ways in: HTTP API, objects, messages, schedules; and the sweeper that closes what events missed. */
export class EntryStack extends Stack {
  readonly front: HttpApiFront;

  constructor(scope: Construct, id: string, props: EntryStackProps) {
    super(scope, id, props);
    const { context, settings, shared } = props;
    // Imported, so that nothing is written into policies of the data stack.
    const starts = Queue.fromQueueArn(this, 'Starts', shared.startsArn);
    const resources = props.resources(this, '*');
    const common = {
      context,
      settings,
      workflow: 'entry',
      memoryMb: 512,
      statements: entryStatements(resources),
      environment: { ...props.environment, AGENTMILL_ADMINS: context.admins.join(',') },
    };
    const api = new Task(this, 'Api', {
      ...common,
      task: 'api',
      ...services.api,
      // Searches embed their query on a whole core, beside the vectors of the libraries they used last.
      memoryMb: 1769,
      statements: apiStatements(resources),
      environment: { ...common.environment, AGENTMILL_SANDBOX_FUNCTION: resources.sandboxArn },
      timeoutSeconds: API_TIMEOUT.toSeconds(),
    });
    this.front = new HttpApiFront(this, 'Front', {
      context,
      settings,
      routes: props.routes,
      handler: api.fn,
    });

    const start = new Task(this, 'Start', {
      ...common,
      task: 'start',
      ...services.start,
      timeoutSeconds: START_TIMEOUT.toSeconds(),
    });
    start.fn.addEventSource(
      new SqsEventSource(starts, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: 10 }),
    );
    starts.grantConsumeMessages(start.role);
    this.rules(props, starts);

    const sweeper = new Task(this, 'Sweeper', {
      ...common,
      task: 'sweeper',
      ...services.sweeper,
      timeoutSeconds: 300,
    });
    new Rule(this, 'Every15Minutes', {
      description: 'Closes jobs whose ending event was lost',
      schedule: Schedule.rate(Duration.minutes(15)),
      targets: [new LambdaFunction(sweeper.fn)],
    });
    this.alarms(context, Topic.fromTopicArn(this, 'Alarms', shared.alarmTopicArn));
    new CfnOutput(this, 'ApiUrl', { value: this.front.url });
  }

  private rules(props: EntryStackProps, starts: IQueue): void {
    const { context, catalog } = props;
    const ruleName = (what: string): string => `${rulePrefix(context.stage)}${what}`;
    new Rule(this, 'IngestedObjects', {
      ruleName: ruleName('objects'),
      description: 'Objects under ingest/<workflow>/ start that workflow',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: { bucket: { name: [props.shared.bucketName] }, object: { key: [{ prefix: 'ingest/' }] } },
      },
      targets: [new SqsQueue(starts)],
    });
    new Rule(this, 'EndedExecutions', {
      ruleName: ruleName('executions'),
      description: 'Executions that ended badly close their jobs',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          status: ['FAILED', 'TIMED_OUT', 'ABORTED'],
          stateMachineArn: catalog.map(({ name }) =>
            this.formatArn({
              service: 'states',
              resource: 'stateMachine',
              resourceName: machineName(context.stage, name),
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          ),
        },
      },
      targets: [new SqsQueue(starts)],
    });
    for (const { name, triggers } of catalog) {
      if (!triggers.schedule) continue;
      new Rule(this, `Schedule${pascalCase(name)}`, {
        ruleName: ruleName(`schedule-${name}`),
        description: `Starts ${name}`,
        schedule: Schedule.expression(triggers.schedule.expression),
        targets: [
          new SqsQueue(starts, {
            // The fire time is the idempotency key: a schedule that fires twice makes one job.
            message: RuleTargetInput.fromObject({
              workflow: name,
              input: triggers.schedule.input,
              scheduledAt: EventField.time,
            }),
          }),
        ],
      });
    }
  }

  private alarms(context: Context, topic: ITopic): void {
    const metric = (metricName: string, statistic: string, route?: string): Metric => {
      const [method, path] = route?.split(' ') ?? [];
      return new Metric({
        namespace: 'AWS/ApiGateway',
        metricName,
        dimensionsMap: {
          ApiId: this.front.api.apiId,
          ...(method && path ? { Stage: '$default', Method: method, Resource: path } : {}),
        },
        statistic,
        period: Duration.minutes(5),
      });
    };
    alarmAbove(this, 'ServerErrors', {
      description: 'Over 1 % of API requests fail. Runbook: docs/runbooks/stuck-job.md',
      metric: new MathExpression({
        label: 'API 5xx, %',
        period: Duration.minutes(5),
        expression: '100 * errors / IF(requests > 0, requests, 1)',
        usingMetrics: { errors: metric('5xx', 'Sum'), requests: metric('Count', 'Sum') },
      }),
      threshold: 1,
      topic,
    });
    alarmAbove(this, 'Latency', {
      description:
        'The API answers slower than 3 s at the 99th percentile. Runbook: docs/runbooks/throttling.md',
      metric: new MathExpression({
        label: 'slowest p99, ms',
        period: Duration.minutes(5),
        expression: 'MAX([l0, l1, l2])',
        usingMetrics: Object.fromEntries(
          PROMPT_ROUTES.map((route, i) => [`l${i}`, metric('Latency', 'p99', route)]),
        ),
      }),
      threshold: 3000,
      topic,
      periods: 3,
    });
    alarmAbove(this, 'SweeperRepairs', {
      description: 'The sweeper had to close jobs: events were lost. Runbook: docs/runbooks/stuck-job.md',
      metric: new Metric({
        namespace: 'Agentmill',
        metricName: 'SweeperRepairs',
        dimensionsMap: { stage: context.stage, workflow: 'entry', task: 'sweep' },
        statistic: 'Sum',
        period: Duration.minutes(15),
      }),
      threshold: 0,
      topic,
    });
  }
}
