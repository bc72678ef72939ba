import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { services } from '#functions/services.ts';
import type { ModelEntry } from '#shared/models/types.ts';
import { pascalCase } from '#shared/task/placeholders.ts';
import { alarmAbove } from '../constructs/machine-alarms.ts';
import { DurableQueue } from '../constructs/durable-queue.ts';
import { Deploy, ModelEndpoint } from '../constructs/model-endpoint.ts';
import { Task } from '../constructs/task.ts';
import type { Context } from '../context.ts';
import type { Resources } from '../iam.ts';
import { completionStatements } from '../service-statements.ts';
import { queueName } from '../names.ts';
import type { SharedValues } from '../shared-values.ts';
import type { StageSettings } from '../stages.ts';

const RESULT_TIMEOUT = Duration.seconds(60);

export interface ModelsStackProps extends StackProps {
  context: Context;
  settings: StageSettings;
  models: readonly ModelEntry[];
  resources(stack: Stack, workflow: string): Resources;
  environment: Record<string, string>;
  shared: SharedValues;
}

/** Endpoints that models.json asks for, and the way back of asynchronous completions. */
export class ModelsStack extends Stack {
  readonly endpoints = new Map<string, ModelEndpoint>();

  constructor(scope: Construct, id: string, props: ModelsStackProps) {
    super(scope, id, props);
    const { context, settings } = props;
    const { bucketName } = props.shared;
    const alarmTopic = Topic.fromTopicArn(this, 'Alarms', props.shared.alarmTopicArn);
    const resources = props.resources(this, 'inference');
    const results = new DurableQueue(this, 'Results', {
      queueName: queueName(context.stage, 'results'),
      consumerTimeout: RESULT_TIMEOUT,
      alarmTopic,
    });
    const topics = { success: this.topic(context, 'success'), error: this.topic(context, 'error') };
    for (const topic of Object.values(topics)) {
      topic.addSubscription(new SqsSubscription(results.queue, { rawMessageDelivery: true }));
    }
    // Object-created events reach the queue too: a lost notification costs nothing.
    new Rule(this, 'AsyncObjects', {
      description: 'Outputs and failures of asynchronous inference',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [bucketName] },
          object: { key: [{ prefix: 'async/out/' }, { prefix: 'async/fail/' }] },
        },
      },
      targets: [new SqsQueue(results.queue)],
    });
    const common = {
      context,
      settings,
      workflow: 'inference',
      memoryMb: 512,
      timeoutSeconds: RESULT_TIMEOUT.toSeconds(),
      statements: completionStatements(resources),
      environment: props.environment,
    };
    const onResult = new Task(this, 'OnResult', {
      ...common,
      task: 'on-result',
      ...services.onResult,
    });
    onResult.fn.addEventSource(
      new SqsEventSource(results.queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: 20 }),
    );
    results.queue.grantConsumeMessages(onResult.role);
    const sweep = new Task(this, 'Sweep', { ...common, task: 'sweep', ...services.asyncSweep });
    new Rule(this, 'EveryMinute', {
      description: 'Finds asynchronous completions whose notification was lost',
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaFunction(sweep.fn)],
    });
    for (const model of props.models) {
      if (model.provider !== 'builtin' && model.provider !== 'replay') {
        alarmAbove(this, `BreakerOpen${pascalCase(model.name)}`, {
          description: `Calls of ${model.name} fail so often that none are made. Runbook: docs/runbooks/endpoint-down.md`,
          metric: new Metric({
            namespace: 'Agentmill/Inference',
            metricName: 'BreakerOpen',
            dimensionsMap: { model: model.name, provider: model.provider },
            statistic: 'Maximum',
            period: Duration.minutes(5),
          }),
          threshold: 0,
          topic: alarmTopic,
          periods: 2,
        });
      }
      if (!model.deploy) continue;
      const deploy = Deploy.safeParse(model.deploy);
      if (!deploy.success) {
        throw new Error(
          `models.json: ${model.name}: deploy.${deploy.error.issues[0]?.path.join('.')}: ${deploy.error.issues[0]?.message}`,
        );
      }
      this.endpoints.set(
        model.name,
        new ModelEndpoint(this, pascalCase(model.name), {
          model,
          deploy: deploy.data,
          bucketName,
          bucketArn: resources.bucketArn,
          ...(resources.kmsArn ? { kmsArn: resources.kmsArn } : {}),
          topics,
          alarmTopic,
        }),
      );
    }
  }

  private topic(context: Context, kind: 'success' | 'error'): Topic {
    const topic = new Topic(this, kind === 'success' ? 'Success' : 'Error', {
      topicName: queueName(context.stage, `async-${kind}`),
      enforceSSL: true,
    });
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'SageMakerPublishes',
        principals: [new ServicePrincipal('sagemaker.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    return topic;
  }
}
