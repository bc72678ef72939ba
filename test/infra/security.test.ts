import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { acknowledgementsOf } from '#infra/nag.ts';
import { policyFindings } from '#infra/policy.ts';
import { platform } from '#shared/task/catalog.ts';
import { buildFixture, sampleModel, sampleWorkflow } from './fixture.ts';

// Synthesis is slow on a busy machine.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const stacksOf = ({ stacks }: ReturnType<typeof buildFixture>) => [
  stacks.data,
  stacks.models,
  ...stacks.workflows.values(),
  stacks.entry,
  stacks.ops,
];

interface Violation {
  ruleName: string;
  violatingConstructs?: { constructPath?: string }[];
  violatingResources?: { resourceLogicalId?: string }[];
}

const violationsOf = (fixture: ReturnType<typeof buildFixture>): Violation[] =>
  stacksOf(fixture).flatMap(
    (stack) => new AwsSolutionsChecks().validateScope(stack).violations as unknown as Violation[],
  );

afterEach(() => vi.restoreAllMocks());

describe('cdk-nag', () => {
  test.each(['dev', 'prod'])(
    '[infra-api-cli 4] AwsSolutions reports nothing unacknowledged in %s',
    (stage) => {
      expect(violationsOf(buildFixture({ context: { stage } }))).toEqual([]);
    },
  );

  test.each(['dev', 'prod'])('[infra-api-cli 4] no acknowledgement is stale in %s', (stage) => {
    vi.spyOn(Validations.prototype, 'acknowledge').mockImplementation(function (this: Validations) {
      return undefined as never;
    });
    const fixture = buildFixture({ context: { stage } });
    const found = new Set(violationsOf(fixture).map((violation) => violation.ruleName));
    const stale = acknowledgementsOf(fixture.app).filter(({ id }) => !found.has(id));
    expect(acknowledgementsOf(fixture.app).length).toBeGreaterThan(10);
    expect(stale).toEqual([]);
    for (const { reason } of acknowledgementsOf(fixture.app)) expect(reason.length).toBeGreaterThan(20);
  });
});

describe('identity tokens', () => {
  const audience = 'https://gemma.example.net';
  const entry = sampleWorkflow();
  entry.tasks = {
    ...entry.tasks,
    work: { ...entry.tasks.work!, capabilities: ['records'] },
    infer: platform.infer(['models:default']),
  };
  const oidc = sampleModel({
    name: 'gemma-tpu',
    provider: 'openai',
    endpoint: { url: 'https://gemma.example.net/v1', auth: { type: 'oidc', audience } },
  });
  const build = (context: Record<string, unknown>, nag = false) =>
    buildFixture({ catalog: [entry], models: [oidc], context, nag });
  const infer = (fixture: ReturnType<typeof buildFixture>) =>
    Object.values(
      Template.fromStack(fixture.stacks.workflows.get('sample')!).findResources('AWS::Lambda::Function'),
    ).find(({ Properties }) => Properties.FunctionName === 'agentmill-dev-sample-infer')!.Properties;
  const statements = (fixture: ReturnType<typeof buildFixture>) =>
    Object.values(
      Template.fromStack(fixture.stacks.workflows.get('sample')!).findResources('AWS::IAM::Policy'),
    )
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Record<string, unknown>[])
      .filter(({ Action }) => Action === 'sts:GetWebIdentityToken');

  test('[infra-api-cli 5] STS gives tokens for the audience of the model, and no others', () => {
    const fixture = build({});
    expect(statements(fixture)).toEqual([
      expect.objectContaining({
        Effect: 'Allow',
        Resource: '*',
        Condition: {
          'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': [audience] },
          Null: { 'sts:IdentityTokenAudience': 'false' },
          StringEquals: { 'sts:SigningAlgorithm': 'RS256' },
          NumericLessThanEquals: { 'sts:DurationSeconds': '900' },
        },
      }),
    ]);
    expect(JSON.stringify(infer(fixture).Environment)).not.toContain('OIDC');
    expect(violationsOf(fixture)).toEqual([]);
    expect(policyFindings(Template.fromStack(fixture.stacks.workflows.get('sample')!).toJSON())).toEqual([]);
  });

  test.each([
    [
      { tokenUrl: 'https://id.example.net/token' },
      'AGENTMILL_OIDC_TOKEN_URL',
      'https://id.example.net/token',
    ],
    [{ tokenUrl: 'http://127.0.0.1:9000/token' }, 'AGENTMILL_OIDC_TOKEN_URL', 'http://127.0.0.1:9000/token'],
    [{ tokenFile: '/tmp/token' }, 'AGENTMILL_OIDC_TOKEN_FILE', '/tmp/token'],
  ])('another source %j is a setting of infer alone, and STS is not asked', (setting, name, value) => {
    const fixture = build({ oidc: setting });
    expect(statements(fixture)).toEqual([]);
    expect(infer(fixture).Environment.Variables[name]).toBe(value);
    const functions = Object.values(
      Template.fromStack(fixture.stacks.workflows.get('sample')!).findResources('AWS::Lambda::Function'),
    );
    expect(functions.filter(({ Properties }) => Properties.Environment.Variables[name])).toHaveLength(1);
  });

  test.each([
    [{ tokenUrl: 'http://id.example.net/token' }, /oidc\.tokenUrl: the identity server must be HTTPS/],
    [{ tokenFile: 'token' }, /oidc\.tokenFile/],
    [{ tokenUrl: 'https://id.example.net', tokenFile: '/t' }, /oidc: give tokenUrl or tokenFile/],
    [{ requestToken: 'secret' }, /oidc: .*requestToken/],
  ])('the context %j is refused', (setting, message) => {
    expect(() => build({ oidc: setting })).toThrow(message);
  });
});

describe('policies', () => {
  test.each(['dev', 'prod'])(
    '[infra-api-cli 5] no wildcard action, and all resources only where AWS has none, in %s',
    (stage) => {
      const fixture = buildFixture({ context: { stage } });
      for (const stack of stacksOf(fixture)) {
        expect(policyFindings(Template.fromStack(stack).toJSON()), stack.stackName).toEqual([]);
      }
    },
  );

  test('[infra-api-cli 5] an injected wildcard is found', () => {
    const fixture = buildFixture();
    const { role } = fixture.stacks.workflows.get('sample')!.workflow.tasks.get('work')!;
    role.addToPolicy(
      new PolicyStatement({ sid: 'Injected', actions: ['s3:*'], resources: ['arn:aws:s3:::x/y'] }),
    );
    role.addToPolicy(new PolicyStatement({ sid: 'Broad', actions: ['dynamodb:GetItem'], resources: ['*'] }));
    const findings = policyFindings(Template.fromStack(fixture.stacks.workflows.get('sample')!).toJSON());
    expect(findings.map(({ sid, problem }) => [sid, problem])).toEqual(
      expect.arrayContaining([
        ['Injected', 'the action s3:* has a wildcard'],
        ['Broad', 'dynamodb:GetItem is allowed on every resource'],
      ]),
    );
  });

  test('[infra-api-cli 11] task roles name no other workflow', () => {
    const fixture = buildFixture({ catalog: [sampleWorkflow('alpha'), sampleWorkflow('beta')] });
    const text = JSON.stringify(Template.fromStack(fixture.stacks.workflows.get('alpha')!).toJSON());
    expect(text).toContain('JOB#alpha.*');
    expect(text).toContain('jobs/alpha.*');
    expect(text).not.toContain('beta');
  });

  test('[infra-api-cli 12] machine policies hold one Redrive ARN per Label', () => {
    const fixture = buildFixture();
    const policies = Template.fromStack(fixture.stacks.workflows.get('sample')!).findResources(
      'AWS::IAM::Policy',
    );
    const redrive = Object.values(policies)
      .flatMap(
        (policy) => policy.Properties.PolicyDocument.Statement as { Sid?: string; Resource: unknown }[],
      )
      .filter((statement) => statement.Sid === 'RedriveChildren');
    expect(redrive).toHaveLength(1);
    const arns = [redrive[0]!.Resource].flat();
    expect(arns).toHaveLength(1);
    expect(JSON.stringify(arns)).toContain('agentmill-dev-sample/Items:*');
  });
});

describe('the sandbox', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const images = {
    sandbox: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/sandbox@${digest}`,
    browser: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/browser@${digest}`,
  };

  test('has no way out and may do nothing but log', () => {
    const { app, stacks } = buildFixture({ context: { images } });
    const stack = stacks.sandbox!;
    expect(new AwsSolutionsChecks().validateScope(stack).violations).toEqual([]);
    const template = Template.fromStack(stack);
    expect(policyFindings(template.toJSON())).toEqual([]);
    for (const type of ['AWS::EC2::InternetGateway', 'AWS::EC2::NatGateway', 'AWS::EC2::VPCEndpoint']) {
      template.resourceCountIs(type, 0);
    }
    template.hasResourceProperties('AWS::Lambda::Function', {
      FunctionName: 'agentmill-dev-sandbox-python',
      PackageType: 'Image',
      MemorySize: 2048,
    });
    const denied = Object.values(template.findResources('AWS::IAM::Policy'))
      .flatMap(
        (policy) => policy.Properties.PolicyDocument.Statement as { Effect: string; Condition?: object }[],
      )
      .filter((statement) => statement.Effect === 'Deny');
    expect(JSON.stringify(denied)).toContain('lambda:SourceFunctionArn');
    expect(app.node.children.length).toBeGreaterThan(5);
  });

  test('is our own bundle where no image is given: no way out, no environment, logs alone', () => {
    const stack = buildFixture().stacks.sandbox!;
    expect(new AwsSolutionsChecks().validateScope(stack).violations).toEqual([]);
    const template = Template.fromStack(stack);
    expect(policyFindings(template.toJSON())).toEqual([]);
    for (const type of ['AWS::EC2::InternetGateway', 'AWS::EC2::NatGateway', 'AWS::EC2::VPCEndpoint']) {
      template.resourceCountIs(type, 0);
    }
    const functions = Object.values(template.findResources('AWS::Lambda::Function'));
    const python = functions.find(
      ({ Properties }) => Properties.FunctionName === 'agentmill-dev-sandbox-python',
    )!;
    expect(python.Properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
      MemorySize: 2048,
      Timeout: 330,
      VpcConfig: { SubnetIds: expect.any(Array), SecurityGroupIds: expect.any(Array) },
    });
    expect(python.Properties.Environment).toBeUndefined();
    const statements = Object.entries(template.findResources('AWS::IAM::Policy'))
      .filter(([id]) => id.startsWith('pythonRole'))
      .flatMap(
        ([, policy]) => policy.Properties.PolicyDocument.Statement as { Effect: string; Action: unknown }[],
      );
    const allowed = statements
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap(({ Action }) => [Action].flat());
    expect(allowed.every((action) => /^(logs|ec2):/.test(String(action)))).toBe(true);
    expect(statements.filter(({ Effect }) => Effect === 'Deny')).toHaveLength(1);
  });

  test('is named to the tasks that may call it, and to no other', () => {
    const template = Template.fromStack(buildFixture().stacks.workflows.get('sample')!);
    const named = Object.values(template.findResources('AWS::Lambda::Function'))
      .filter(({ Properties }) => Properties.Environment.Variables.AGENTMILL_SANDBOX_FUNCTION !== undefined)
      .map(({ Properties }) => Properties.FunctionName);
    expect(named).toEqual(['agentmill-dev-sample-work']);
  });

  test('stands only where a task runs generated code or images are given, and these only by digest', () => {
    const tame = sampleWorkflow();
    tame.tasks['work']!.capabilities = ['records'];
    expect(buildFixture({ catalog: [tame] }).stacks.sandbox).toBeUndefined();
    expect(() => buildFixture({ context: { images: { sandbox: 'sandbox:latest' } } })).toThrow(/by digest/);
  });
});
