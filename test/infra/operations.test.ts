import { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { RESPONSE_MS } from '#functions/api/research.ts';
import { routes } from '#functions/api/routes.ts';
import { PROMPT_ROUTES } from '#infra/constructs/http-api-front.ts';
import { API_TIMEOUT } from '#infra/stacks/entry.ts';
import { callsModels, platform } from '#shared/task/catalog.ts';
import { catalog } from '#functions/catalog.ts';
import { buildFixture, deploy, sampleModel, sampleWorkflow } from './fixture.ts';

/** What only shows when stacks have run for a while: old versions, waiting requests, keys, networks, alarms. */

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555';

describe('production', () => {
  let workflow: Template;
  let models: Template;
  beforeAll(() => {
    const { stacks } = buildFixture({
      context: { stage: 'prod', kms: KEY },
      models: [
        sampleModel({ deploy }),
        sampleModel({
          name: 'live-one',
          provider: 'sagemaker',
          endpoint: { name: 'am-live' },
          deploy: { ...deploy, kind: 'realtime', perInstance: 6, targetBacklog: 50 },
        }),
      ],
    });
    workflow = Template.fromStack(stacks.workflows.get('sample')!);
    models = Template.fromStack(stacks.models);
  });

  test('function versions outlive the deployment that replaces them: running executions and a rollback name them', () => {
    const versions = Object.values(workflow.findResources('AWS::Lambda::Version'));
    expect(versions.length).toBeGreaterThan(0);
    for (const { DeletionPolicy, UpdateReplacePolicy } of versions)
      expect([DeletionPolicy, UpdateReplacePolicy]).toEqual(['Retain', 'Retain']);
  });

  test('an asynchronous endpoint may use the key of the bucket that it reads and writes; a real-time one need not', () => {
    const policies = Object.entries(models.findResources('AWS::IAM::Policy')).map(
      ([id, { Properties }]) => [id, JSON.stringify(Properties.PolicyDocument)] as const,
    );
    const of = (model: string): string => policies.find(([id]) => id.startsWith(model))![1];
    expect(of('BigAsync')).toContain(KEY);
    expect(of('LiveOne')).not.toContain(KEY);
  });

  test('real-time endpoints scale on requests at once, asynchronous ones on their backlog', () => {
    const tracked = Object.values(models.findResources('AWS::ApplicationAutoScaling::ScalingPolicy'))
      .map(({ Properties }) => Properties.TargetTrackingScalingPolicyConfiguration)
      .filter((configuration) => configuration !== undefined);
    expect(tracked).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          TargetValue: 6,
          PredefinedMetricSpecification: {
            PredefinedMetricType: 'SageMakerVariantConcurrentRequestsPerModelHighResolution',
          },
        }),
        expect.objectContaining({
          TargetValue: 5,
          CustomizedMetricSpecification: expect.objectContaining({
            MetricName: 'ApproximateBacklogSizePerInstance',
          }) as unknown,
        }),
      ]),
    );
  });
});

describe('the API', () => {
  const entry = Template.fromStack(
    buildFixture({ routes, context: { corsOrigins: ['https://app.example.com'] } }).stacks.entry,
  );

  test('outlasts the longest wait of a route, and answers before the gateway gives up', () => {
    expect(API_TIMEOUT.toMilliseconds()).toBeGreaterThanOrEqual(RESPONSE_MS + 5000);
    expect(API_TIMEOUT.toMilliseconds()).toBeLessThan(30_000);
    entry.hasResourceProperties('AWS::Lambda::Function', {
      FunctionName: 'agentmill-dev-entry-api',
      Timeout: API_TIMEOUT.toSeconds(),
    });
  });

  test('slowness is judged by routes that wait for nothing', () => {
    const keys = routes.map(({ method, path }) => `${method} ${path}`);
    expect(keys).toEqual(expect.arrayContaining(PROMPT_ROUTES));
    const [latency] = Object.values(entry.findResources('AWS::CloudWatch::Alarm')).filter(
      ({ Properties }) => Properties.Threshold === 3000,
    );
    const asked = (latency!.Properties.Metrics as { MetricStat?: { Metric: { Dimensions: unknown } } }[])
      .flatMap(({ MetricStat }) => MetricStat ?? [])
      .map(({ Metric: { Dimensions } }) => {
        const named = Object.fromEntries(
          (Dimensions as { Name: string; Value: string }[]).map(({ Name, Value }) => [Name, Value]),
        );
        return `${named.Method} ${named.Resource} ${named.Stage}`;
      });
    expect(asked).toEqual(PROMPT_ROUTES.map((route) => `${route} $default`));
    const settings = Object.values(entry.findResources('AWS::ApiGatewayV2::Stage'))[0]!.Properties
      .RouteSettings as Record<string, { DetailedMetricsEnabled?: boolean; ThrottlingRateLimit?: number }>;
    for (const route of PROMPT_ROUTES) expect(settings[route]!.DetailedMetricsEnabled).toBe(true);
    for (const setting of Object.values(settings)) expect(setting.ThrottlingRateLimit).toBeGreaterThan(0);
  });

  test('its function is opened to the API once, however many routes there are', () => {
    const permissions = Object.values(entry.findResources('AWS::Lambda::Permission')).filter(
      ({ Properties }) => Properties.Principal === 'apigateway.amazonaws.com',
    );
    expect(permissions).toHaveLength(1);
    expect(JSON.stringify(permissions[0]!.Properties.SourceArn)).toContain('/*/*');
  });

  test('browsers may send every header that a route reads, and those of a signature', () => {
    const [api] = Object.values(entry.findResources('AWS::ApiGatewayV2::Api'));
    const allowed = api!.Properties.CorsConfiguration.AllowHeaders as string[];
    const read = routes.flatMap(({ requestHeaders = {} }) => Object.keys(requestHeaders));
    expect(allowed).toEqual(
      expect.arrayContaining([
        ...read.map((name) => name.toLowerCase()),
        'authorization',
        'x-amz-date',
        'x-amz-security-token',
      ]),
    );
  });
});

describe('the network of model servers', () => {
  test('holds every task that calls models, not infer alone', () => {
    const callers = catalog.flatMap(({ name, tasks }) =>
      Object.entries(tasks).flatMap(([task, spec]) => (callsModels(spec) ? [`${name}/${task}`] : [])),
    );
    expect(callers).toEqual(expect.arrayContaining(['dataset-synthesis/infer', 'deep-research/slice']));

    const entry = sampleWorkflow();
    entry.tasks.infer = platform.infer(['models:default']);
    const template = Template.fromStack(
      buildFixture({
        catalog: [entry],
        context: {
          oidc: { tokenFile: '/tmp/token' },
          vpc: { vpcId: 'vpc-0a1b2c3d', subnetIds: ['subnet-0a1b2c3d'], securityGroupIds: ['sg-0a1b2c3d'] },
        },
      }).stacks.workflows.get('sample')!,
    );
    const functions = Object.values(template.findResources('AWS::Lambda::Function')).map(
      ({ Properties }) => Properties,
    );
    const inside = functions.filter(({ VpcConfig }) => VpcConfig !== undefined);
    // `work` of the sample calls models too.
    const names = ['agentmill-dev-sample-infer', 'agentmill-dev-sample-work'];
    expect(inside.map(({ FunctionName }) => FunctionName as string).sort()).toEqual(names);
    const told = functions.filter(
      ({ Environment }) => Environment.Variables.AGENTMILL_OIDC_TOKEN_FILE !== undefined,
    );
    expect(told.map(({ FunctionName }) => FunctionName as string).sort()).toEqual(names);
  });
});

test('expired objects leave no markers behind', () => {
  const data = Template.fromStack(buildFixture().stacks.data);
  const rules = Object.values(data.findResources('AWS::S3::Bucket')).flatMap(
    ({ Properties }) =>
      Properties.LifecycleConfiguration.Rules as { Id: string; ExpiredObjectDeleteMarker?: boolean }[],
  );
  expect(rules.find(({ Id }) => Id === 'tidy')!.ExpiredObjectDeleteMarker).toBe(true);
});
