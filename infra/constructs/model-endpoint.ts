import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnEndpoint, CfnEndpointConfig, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { z } from 'zod';
import type { ModelEntry } from '#shared/models/types.ts';
import { addStatement } from '../nag.ts';

/** `deploy` of a models.json entry (infra-api-cli section 5). */
export const Deploy = z.strictObject({
  kind: z.enum(['realtime', 'async']),
  /** Registry URI of the container, by digest. */
  image: z.string().min(1),
  modelDataUrl: z.string().startsWith('s3://').optional(),
  env: z.record(z.string(), z.string()).default({}),
  instanceType: z.string().startsWith('ml.'),
  instances: z.strictObject({ min: z.int().min(0), max: z.int().min(1) }),
  /** Requests one instance treats at once. */
  perInstance: z.int().min(1).default(4),
  /** Queued requests an instance that scaling of an asynchronous endpoint aims at. */
  targetBacklog: z.number().positive().default(5),
  startupTimeoutSeconds: z.int().min(60).max(3600).default(900),
});
export type Deploy = z.infer<typeof Deploy>;

export interface ModelEndpointProps {
  model: ModelEntry;
  deploy: Deploy;
  bucketName: string;
  bucketArn: string;
  /** The bucket's customer key, when it has one. */
  kmsArn?: string;
  topics: { success: ITopic; error: ITopic };
  alarmTopic: ITopic;
}

/** A SageMaker endpoint: real-time with at least one instance, or asynchronous, scaling to zero. */
export class ModelEndpoint extends Construct {
  readonly endpoint: CfnEndpoint;

  constructor(scope: Construct, id: string, props: ModelEndpointProps) {
    super(scope, id);
    const { model, deploy } = props;
    const isAsync = deploy.kind === 'async';
    const role = this.executionRole(props, isAsync);
    const sagemakerModel = new CfnModel(this, 'Model', {
      executionRoleArn: role.roleArn,
      primaryContainer: {
        image: deploy.image,
        environment: deploy.env,
        ...(deploy.modelDataUrl ? { modelDataUrl: deploy.modelDataUrl } : {}),
      },
    });
    sagemakerModel.node.addDependency(role);
    const config = new CfnEndpointConfig(this, 'Config', {
      productionVariants: [
        {
          variantName: VARIANT,
          modelName: sagemakerModel.attrModelName,
          instanceType: deploy.instanceType,
          // An endpoint is made with an instance even when it may scale to none afterwards.
          initialInstanceCount: Math.max(1, deploy.instances.min),
          initialVariantWeight: 1,
          containerStartupHealthCheckTimeoutInSeconds: deploy.startupTimeoutSeconds,
        },
      ],
      ...(isAsync
        ? {
            asyncInferenceConfig: {
              clientConfig: { maxConcurrentInvocationsPerInstance: deploy.perInstance },
              outputConfig: {
                s3OutputPath: `s3://${props.bucketName}/async/out/`,
                s3FailurePath: `s3://${props.bucketName}/async/fail/`,
                notificationConfig: {
                  successTopic: props.topics.success.topicArn,
                  errorTopic: props.topics.error.topicArn,
                },
              },
            },
          }
        : {}),
    });
    this.endpoint = new CfnEndpoint(this, 'Endpoint', {
      endpointName: model.endpoint.name!,
      endpointConfigName: config.attrEndpointConfigName,
    });
    this.scale(model, deploy, isAsync, props.alarmTopic);
  }

  private executionRole(props: ModelEndpointProps, isAsync: boolean): Role {
    const stack = Stack.of(this);
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('sagemaker.amazonaws.com'),
      description: `What the containers of ${props.model.name} may do`,
    });
    const allow = (sid: string, actions: string[], resources: string[], wildcard?: string): void =>
      addStatement(role, { sid, actions, resources, ...(wildcard ? { wildcard } : {}) });
    const repository = /^(\d+)\.dkr\.ecr\.([a-z0-9-]+)\.[^/]+\/([^:@]+)/.exec(props.deploy.image);
    if (repository) {
      allow(
        'PullLogin',
        ['ecr:GetAuthorizationToken'],
        ['*'],
        'Logging in to a registry has no resource to name.',
      );
      allow(
        'PullImage',
        ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchCheckLayerAvailability'],
        [`arn:${stack.partition}:ecr:${repository[2]}:${repository[1]}:repository/${repository[3]}`],
      );
    }
    allow(
      'Logs',
      ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents', 'logs:CreateLogGroup'],
      [
        stack.formatArn({
          service: 'logs',
          resource: 'log-group',
          resourceName: `/aws/sagemaker/Endpoints/${props.model.endpoint.name}:*`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      ],
      "SageMaker names the streams of the endpoint's own log group.",
    );
    const data = props.deploy.modelDataUrl
      ? /^s3:\/\/([^/]+)\/(.+)$/.exec(props.deploy.modelDataUrl)
      : undefined;
    if (data) allow('ModelData', ['s3:GetObject'], [`arn:${stack.partition}:s3:::${data[1]}/${data[2]}`]);
    if (isAsync) {
      allow(
        'AsyncInput',
        ['s3:GetObject'],
        [`${props.bucketArn}/jobs/*/async/in/*`],
        'Request bodies are stored with their jobs, under their hashes.',
      );
      allow(
        'AsyncOutput',
        ['s3:PutObject'],
        [`${props.bucketArn}/async/out/*`, `${props.bucketArn}/async/fail/*`],
        'SageMaker names the objects of asynchronous results.',
      );
      if (props.kmsArn) allow('Key', ['kms:Decrypt', 'kms:GenerateDataKey'], [props.kmsArn]);
      allow('AsyncTell', ['sns:Publish'], [props.topics.success.topicArn, props.topics.error.topicArn]);
    }
    return role;
  }

  private scale(model: ModelEntry, deploy: Deploy, isAsync: boolean, alarmTopic: ITopic): void {
    const target = new CfnScalableTarget(this, 'ScalableTarget', {
      serviceNamespace: 'sagemaker',
      scalableDimension: 'sagemaker:variant:DesiredInstanceCount',
      resourceId: `endpoint/${model.endpoint.name}/variant/${VARIANT}`,
      minCapacity: isAsync ? deploy.instances.min : Math.max(1, deploy.instances.min),
      maxCapacity: deploy.instances.max,
    });
    target.addResourceDependency(this.endpoint);
    const dimensions = { EndpointName: model.endpoint.name! };
    new CfnScalingPolicy(this, 'Backlog', {
      policyName: `${model.name}-${isAsync ? 'backlog' : 'concurrency'}`,
      policyType: 'TargetTrackingScaling',
      scalingTargetId: target.ref,
      targetTrackingScalingPolicyConfiguration: {
        // A real-time instance is asked for as many as it treats at once; asynchronous requests may queue.
        targetValue: isAsync ? deploy.targetBacklog : deploy.perInstance,
        scaleInCooldown: 600,
        scaleOutCooldown: 120,
        ...(isAsync
          ? {
              customizedMetricSpecification: {
                namespace: 'AWS/SageMaker',
                metricName: 'ApproximateBacklogSizePerInstance',
                dimensions: [{ name: 'EndpointName', value: dimensions.EndpointName }],
                statistic: 'Average',
              },
            }
          : {
              // Requests a container has at once, queued ones and streams included; a rate would say nothing of their length.
              predefinedMetricSpecification: {
                predefinedMetricType: 'SageMakerVariantConcurrentRequestsPerModelHighResolution',
              },
            }),
      },
    });
    if (!isAsync) return;
    // Tracking alone leaves few requests waiting at zero instances: the backlog an instance is undefined there.
    const wake = new CfnScalingPolicy(this, 'Wake', {
      policyName: `${model.name}-wake`,
      policyType: 'StepScaling',
      scalingTargetId: target.ref,
      stepScalingPolicyConfiguration: {
        adjustmentType: 'ChangeInCapacity',
        metricAggregationType: 'Average',
        cooldown: 300,
        stepAdjustments: [{ metricIntervalLowerBound: 0, scalingAdjustment: 1 }],
      },
    });
    const waiting = new Metric({
      namespace: 'AWS/SageMaker',
      metricName: 'HasBacklogWithoutCapacity',
      dimensionsMap: dimensions,
      statistic: 'Average',
      period: Duration.minutes(1),
    });
    const alarm = (id: string, minutes: number, description: string): Alarm =>
      new Alarm(this, id, {
        alarmDescription: description,
        metric: waiting,
        threshold: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: minutes,
        treatMissingData: TreatMissingData.MISSING,
      });
    alarm('WakeAlarm', 1, `Requests wait for ${model.name}, which has no instance.`).addAlarmAction({
      bind: () => ({ alarmActionArn: wake.ref }),
    });
    alarm(
      'StuckAlarm',
      30,
      `Requests wait for ${model.name} without an instance for 30 minutes. Runbook: docs/runbooks/endpoint-down.md`,
    ).addAlarmAction(new SnsAction(alarmTopic));
  }
}

const VARIANT = 'AllTraffic';
