import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test, vi } from 'vitest';
import { platform } from '#shared/task/catalog.ts';
import { buildFixture, deploy, sampleModel, sampleWorkflow } from './fixture.ts';

// Synthesis is slow on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

/** Asset keys are hashes of bundles or of fixture files: what they hold is tested elsewhere. */
const masked = (template: Template): unknown =>
  JSON.parse(JSON.stringify(template.toJSON()).replace(/[0-9a-f]{64}/g, '<asset>'));

describe('templates', () => {
  const { stacks } = buildFixture();
  const templates = {
    data: Template.fromStack(stacks.data),
    models: Template.fromStack(stacks.models),
    sample: Template.fromStack(stacks.workflows.get('sample')!),
    entry: Template.fromStack(stacks.entry),
    ops: Template.fromStack(stacks.ops),
  };

  test.each(Object.entries(templates))('[infra-api-cli 3] the %s stack is as reviewed', (_name, template) => {
    expect(masked(template)).toMatchSnapshot();
  });

  test('[infra-api-cli 3] a changed memory size changes the template', () => {
    const entry = sampleWorkflow();
    entry.tasks.work = { ...entry.tasks.work!, memoryMb: 1024 };
    const changed = Template.fromStack(buildFixture({ catalog: [entry] }).stacks.workflows.get('sample')!);
    expect(masked(changed)).not.toEqual(masked(templates.sample));
  });

  test('[infra-api-cli 6] there is no custom resource, and objects are announced to EventBridge', () => {
    for (const template of Object.values(templates)) {
      const types = Object.values(template.toJSON().Resources as Record<string, { Type: string }>).map(
        (r) => r.Type,
      );
      expect(
        types.filter((type) => type.startsWith('Custom::') || type.startsWith('AWS::CloudFormation::Custom')),
      ).toEqual([]);
    }
    templates.data.hasResourceProperties('AWS::S3::Bucket', {
      NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } },
      VersioningConfiguration: { Status: 'Enabled' },
    });
  });

  test('bucket, table and logs are kept or dropped as the plan says', () => {
    templates.data.hasResource('AWS::DynamoDB::Table', {
      DeletionPolicy: 'Retain',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
        SSESpecification: { SSEEnabled: true },
      },
    });
    for (const bucket of Object.values(templates.data.findResources('AWS::S3::Bucket'))) {
      expect(bucket.DeletionPolicy).toBe('Retain');
      expect(bucket.Properties.PublicAccessBlockConfiguration).toEqual({
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      });
    }
    for (const logs of Object.values(templates.sample.findResources('AWS::Logs::LogGroup'))) {
      expect(logs.DeletionPolicy).toBe('Delete');
      expect(logs.Properties.RetentionInDays).toBe(30);
    }
  });

  test('production protects its data, pins versions and keeps job input out of logs', () => {
    const prod = buildFixture({ context: { stage: 'prod' } }).stacks;
    expect(prod.data.terminationProtection).toBe(true);
    Template.fromStack(prod.data).hasResourceProperties('AWS::DynamoDB::Table', {
      DeletionProtectionEnabled: true,
    });
    const workflow = Template.fromStack(prod.workflows.get('sample')!);
    workflow.hasResourceProperties('AWS::StepFunctions::StateMachine', {
      LoggingConfiguration: { Level: 'ALL', IncludeExecutionData: false },
      TracingConfiguration: { Enabled: true },
    });
    workflow.hasResourceProperties('AWS::StepFunctions::StateMachineAlias', {
      Name: 'live',
      DeploymentPreference: { Type: 'LINEAR', Interval: 1, Percentage: 20 },
    });
    expect(Object.keys(workflow.findResources('AWS::Lambda::Version'))).toHaveLength(3);
  });

  test('[infra-api-cli 10] a new workflow changes no other workflow', () => {
    const more = buildFixture({ catalog: [sampleWorkflow(), sampleWorkflow('another')] }).stacks;
    expect(masked(Template.fromStack(more.workflows.get('sample')!))).toEqual(masked(templates.sample));
  });

  test('[infra-api-cli 13] an async entry scales to zero by two policies; without deploy there is no endpoint', () => {
    const policies = Object.values(
      templates.models.findResources('AWS::ApplicationAutoScaling::ScalingPolicy'),
    );
    expect(policies.map((policy) => policy.Properties.PolicyType).sort()).toEqual([
      'StepScaling',
      'TargetTrackingScaling',
    ]);
    templates.models.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: 0,
      MaxCapacity: 2,
    });
    const none = Template.fromStack(buildFixture({ models: [sampleModel()] }).stacks.models);
    none.resourceCountIs('AWS::SageMaker::Endpoint', 0);
    const realtime = Template.fromStack(
      buildFixture({
        models: [
          sampleModel({
            provider: 'sagemaker',
            deploy: { ...deploy, kind: 'realtime', instances: { min: 0, max: 2 } },
          }),
        ],
      }).stacks.models,
    );
    realtime.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 1 });
  });

  test('only the health route is open; jobs and uploads are throttled harder', () => {
    const routes = Object.values(templates.entry.findResources('AWS::ApiGatewayV2::Route'));
    const open = routes.filter((route) => route.Properties.AuthorizationType === 'NONE');
    expect(open.map((route) => route.Properties.RouteKey)).toEqual(['GET /v1/health']);
    expect(routes.filter((route) => route.Properties.AuthorizationType === 'AWS_IAM')).toHaveLength(2);
    templates.entry.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 },
      RouteSettings: { 'POST /v1/jobs': { ThrottlingRateLimit: 5, ThrottlingBurstLimit: 10 } },
    });
    const jwt = Template.fromStack(
      buildFixture({
        context: { auth: { type: 'jwt', issuer: 'https://login.example.com', audiences: ['agentmill'] } },
      }).stacks.entry,
    );
    jwt.hasResourceProperties('AWS::ApiGatewayV2::Route', {
      RouteKey: 'POST /v1/jobs',
      AuthorizationType: 'JWT',
      AuthorizationScopes: ['jobs:write'],
    });
  });

  test('a malformed context or deploy entry names its field', () => {
    expect(() => buildFixture({ context: { stage: 'Has Spaces' } })).toThrow(/stage: a stage is/);
    expect(() => buildFixture({ context: { color: 'red' } })).toThrow(/color/);
    expect(() =>
      buildFixture({ models: [sampleModel({ deploy: { ...deploy, instanceType: 'g5' } })] }),
    ).toThrow(/big-async: deploy\.instanceType/);
  });

  test('a task inside a VPC is placed by the given ids, never by a lookup', () => {
    const entry = sampleWorkflow();
    entry.tasks.infer = platform.infer(['models:default']);
    const { stacks: withVpc } = buildFixture({
      catalog: [entry],
      context: {
        vpc: { vpcId: 'vpc-0a1b2c3d', subnetIds: ['subnet-0a1b2c3d'], securityGroupIds: ['sg-0a1b2c3d'] },
      },
    });
    Template.fromStack(withVpc.workflows.get('sample')!).hasResourceProperties('AWS::Lambda::Function', {
      VpcConfig: { SubnetIds: ['subnet-0a1b2c3d'], SecurityGroupIds: ['sg-0a1b2c3d'] },
    });
  });
});
