import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { servedTypes } from '#test/support/aws-double/served-types.ts';
import { Stacks } from '#test/support/aws-double/stacks.ts';
import type { Any, CfnTemplate } from '#test/support/aws-double/types.ts';
import { buildFixture, deploy as endpoint, sampleModel, sampleWorkflow } from './fixture.ts';

vi.setConfig({ testTimeout: 120_000 });

/** A zip of one empty file: what a bundle would hold, as far as the double looks. */
function zipOf(name: string, unpacked = 0): Buffer {
  const central = Buffer.alloc(46 + name.length);
  central.write('PK\x01\x02', 'latin1');
  central.writeUInt32LE(unpacked, 24);
  central.writeUInt16LE(name.length, 28);
  central.write(name, 46);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 10);
  return Buffer.concat([central, end]);
}

const account = (): Stacks => new Stacks('eu-west-1', servedTypes);

/** Deploys one template into an account; its last status, and why it failed. */
function apply(stacks: Stacks, name: string, template: Partial<CfnTemplate> & object): string {
  try {
    const read = stacks.read({ StackName: name, TemplateBody: JSON.stringify(template) });
    const stack = stacks.open(name);
    stacks.apply(stack, { ...read, tags: [] });
    const failed = stack.events.find(({ status }) => /_FAILED$|ROLLBACK_IN_PROGRESS$/.test(status));
    return [stack.status, failed?.reason].filter(Boolean).join(': ');
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
}

const queue = (properties: Any = {}, more: object = {}) => ({
  Type: 'AWS::SQS::Queue',
  Properties: properties,
  ...more,
});

describe('the AWS double refuses what CloudFormation and the services would', () => {
  test.each<[string, Partial<CfnTemplate>, RegExp]>([
    [
      'a resource type it does not serve',
      { Resources: { A: { Type: 'Custom::Thing' } } },
      /^refused: .*Unrecognized resource types: \[Custom::Thing\]/,
    ],
    [
      'a Ref to nothing',
      { Resources: { A: queue({ QueueName: { Ref: 'B' } }) } },
      /^refused: .*Unresolved resource dependencies \[B\]/,
    ],
    [
      'a Sub of nothing',
      { Resources: { A: queue({ QueueName: { 'Fn::Sub': 'x-${B.Arn}' } }) } },
      /^refused: .*\[B\]/,
    ],
    ['a DependsOn of nothing', { Resources: { A: queue({}, { DependsOn: 'B' }) } }, /^refused: .*\[B\]/],
    [
      'a circle',
      {
        Resources: {
          A: queue({ QueueName: { 'Fn::GetAtt': ['B', 'QueueName'] } }),
          B: queue({}, { DependsOn: ['A'] }),
        },
      },
      /^refused: Circular dependency between resources: \[A, B\]/,
    ],
    [
      'too many resources',
      { Resources: Object.fromEntries(Array.from({ length: 501 }, (_, n) => [`Q${n}`, queue()])) },
      /^refused: .*501, is greater than maximum allowed, 500/,
    ],
    ['no resources', { Resources: {} }, /^refused: .*At least one Resources member/],
    [
      'a template over 1 MB',
      { Resources: { A: queue({ QueueName: 'x'.repeat(1_048_577) }) } },
      /^refused: .*over 1048576 bytes/,
    ],
    [
      'a parameter without a value',
      { Parameters: { P: { Type: 'String' } }, Resources: { A: queue() } },
      /^refused: Parameters: \[P\] must have values/,
    ],
    [
      'an SSM parameter that does not exist',
      {
        Parameters: { P: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/no' } },
        Resources: { A: queue() },
      },
      /^refused: Parameter \/no not found/,
    ],
    [
      'a rule that does not hold',
      {
        Rules: { R: { Assertions: [{ Assert: { 'Fn::Equals': ['a', 'b'] }, AssertDescription: 'never' }] } },
        Resources: { A: queue() },
      },
      /^refused: .*rule R: never/,
    ],
    [
      'an attribute that the type does not have',
      { Resources: { A: queue(), B: queue({ QueueName: { 'Fn::GetAtt': ['A', 'Colour'] } }) } },
      /^ROLLBACK_COMPLETE: .*Requested attribute Colour does not exist/,
    ],
    [
      'a misspelt property',
      { Resources: { A: queue({ QueueNaem: 'x' }) } },
      /^ROLLBACK_COMPLETE: .*extraneous key \[QueueNaem\]/,
    ],
    [
      'a property of another type',
      { Resources: { A: queue({ VisibilityTimeout: 'soon' }) } },
      /^ROLLBACK_COMPLETE: .*VisibilityTimeout: expected type: Integer/,
    ],
    [
      'a required property left out',
      { Resources: { A: { Type: 'AWS::Lambda::Function', Properties: {} } } },
      /^ROLLBACK_COMPLETE: .*required key \[\/Code\] not found/,
    ],
    [
      'a value outside the enumeration',
      { Resources: { A: { Type: 'AWS::Events::Rule', Properties: { State: 'MAYBE' } } } },
      /^ROLLBACK_COMPLETE: .*MAYBE is not a valid enum value/,
    ],
    [
      'an import that nobody exports',
      { Resources: { A: queue({ QueueName: { 'Fn::ImportValue': 'gone' } }) } },
      /^ROLLBACK_COMPLETE: .*No export named gone/,
    ],
    [
      'an unknown function',
      { Resources: { A: queue({ QueueName: { 'Fn::Guess': 'x' } }) } },
      /^ROLLBACK_COMPLETE: .*unknown function Fn::Guess/,
    ],
    [
      'two resources of one name',
      { Resources: { A: queue({ QueueName: 'q' }), B: queue({ QueueName: 'q' }) } },
      /^ROLLBACK_COMPLETE: .*AWS::SQS::Queue .*\/q already exists in stack s/,
    ],
    [
      'an export twice',
      {
        Resources: { A: queue() },
        Outputs: { X: { Value: 'x', Export: { Name: 'n' } }, Y: { Value: 'y', Export: { Name: 'n' } } },
      },
      /^ROLLBACK_COMPLETE: .*Export with name n is exported twice/,
    ],
    [
      'code that was not uploaded',
      {
        Resources: {
          A: {
            Type: 'AWS::Lambda::Function',
            Properties: { Role: 'r', Handler: 'index.handler', Code: { S3Bucket: 'b', S3Key: 'k' } },
          },
        },
      },
      /^ROLLBACK_COMPLETE: .*NoSuchKey \(b\/k\)/,
    ],
    [
      'a role that does not exist',
      {
        Resources: {
          A: {
            Type: 'AWS::Lambda::Function',
            Properties: { Role: 'arn:aws:iam::111122223333:role/none', Code: { S3Bucket: 'b', S3Key: 'k' } },
          },
        },
      },
      /^ROLLBACK_COMPLETE: .*\/Role names arn:aws:iam::111122223333:role\/none, which does not exist/,
    ],
    [
      'a policy on no role',
      {
        Resources: {
          A: {
            Type: 'AWS::IAM::Policy',
            Properties: {
              PolicyName: 'p',
              Roles: ['none'],
              PolicyDocument: {
                Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/k' }],
              },
            },
          },
        },
      },
      /^ROLLBACK_COMPLETE: .*The role with name none cannot be found/,
    ],
    [
      'a machine that names a function that does not exist',
      {
        Resources: {
          A: {
            Type: 'AWS::StepFunctions::StateMachine',
            Properties: {
              RoleArn: 'r',
              DefinitionSubstitutions: { F: 'arn:aws:lambda:eu-west-1:111122223333:function:none' },
              DefinitionString:
                '{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Arguments":{"FunctionName":"${F}"},"End":true}}}',
            },
          },
        },
      },
      /^ROLLBACK_COMPLETE: .*The definition names .*function:none, which does not exist/,
    ],
    [
      'a machine whose definition is not sound',
      {
        Resources: {
          A: {
            Type: 'AWS::StepFunctions::StateMachine',
            Properties: {
              RoleArn: 'r',
              DefinitionString:
                '{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}',
            },
          },
        },
      },
      /^ROLLBACK_COMPLETE: .*Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET/,
    ],
  ])('%s', (_what, template, reason) => {
    expect(apply(account(), 's', template)).toMatch(reason);
  });

  test('a Lambda of over 250 MB unpacked, and one without its handler', () => {
    const stacks = account();
    stacks.objects.buckets.set(
      'b',
      new Map([
        ['big', zipOf('index.mjs', 262_144_001)],
        ['other', zipOf('main.js')],
      ]),
    );
    const fn = (S3Key: string) => ({
      Resources: {
        A: {
          Type: 'AWS::Lambda::Function',
          Properties: { Role: 'r', Handler: 'index.handler', Code: { S3Bucket: 'b', S3Key } },
        },
      },
    });
    expect(apply(stacks, 'one', fn('big'))).toMatch(/Unzipped size must be smaller than 262144000 bytes/);
    expect(apply(stacks, 'two', fn('other'))).toMatch(/no file for the handler index\.handler: main\.js/);
  });

  test('exports are unique in a region, kept while used, and an update that fails leaves what was', () => {
    const stacks = account();
    const exporting = {
      Resources: { A: queue({ QueueName: 'a' }) },
      Outputs: { X: { Value: { Ref: 'A' }, Export: { Name: 'n' } } },
    };
    expect(apply(stacks, 'one', exporting)).toBe('CREATE_COMPLETE');
    expect(apply(stacks, 'two', { ...exporting, Resources: { A: queue({ QueueName: 'b' }) } })).toMatch(
      /^ROLLBACK_COMPLETE: .*Export with name n is already exported by stack one/,
    );
    expect(
      apply(stacks, 'user', {
        Resources: {
          A: queue({
            QueueName: {
              'Fn::Join': [
                '',
                ['c', { 'Fn::Select': [4, { 'Fn::Split': ['/', { 'Fn::ImportValue': 'n' }] }] }],
              ],
            },
          }),
        },
      }),
    ).toBe('CREATE_COMPLETE');
    expect(apply(stacks, 'one', { Resources: exporting.Resources })).toMatch(
      /^UPDATE_ROLLBACK_COMPLETE: .*Export n cannot be deleted as it is in use by user/,
    );
    expect(() => stacks.delete(stacks.find('one'))).toThrow(/in use by user/);
    expect(
      apply(stacks, 'one', { ...exporting, Resources: { A: queue({ QueueName: 'a', FifoQueue: true }) } }),
    ).toMatch(/custom-named resource requires replacing/);
    expect(stacks.find('one').resources.get('A')!.properties).toEqual({ QueueName: 'a' });
  });
});

test('production with tokens, e-mail, customer keys and its own endpoints deploys too', () => {
  const workflow = sampleWorkflow();
  workflow.triggers.schedule = { expression: 'rate(1 day)', input: { key: 'x' } };
  const { app } = buildFixture({
    catalog: [workflow, sampleWorkflow('second')],
    models: [
      sampleModel({ deploy: endpoint }),
      sampleModel({
        name: 'live',
        provider: 'sagemaker',
        endpoint: { name: 'am-live' },
        deploy: { ...endpoint, kind: 'realtime' },
      }),
    ],
    context: {
      stage: 'prod',
      auth: { type: 'jwt', issuer: 'https://login.example.com', audiences: ['agentmill'] },
      alarmEmail: 'ops@example.com',
      corsOrigins: ['https://app.example.com'],
      kms: 'arn:aws:kms:eu-west-1:999999999999:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f',
      admins: ['role-id'],
    },
  });
  const { directory, stacks: artifacts } = app.synth();
  const stacks = account();
  const assets = new Map<string, Buffer>();
  stacks.objects.buckets.set('cdk-hnb659fds-assets-111122223333-eu-west-1', assets);
  expect(
    apply(stacks, 'CDKToolkit', {
      Resources: {
        V: {
          Type: 'AWS::SSM::Parameter',
          Properties: { Type: 'String', Name: '/cdk-bootstrap/hnb659fds/version', Value: '30' },
        },
      },
    }),
  ).toBe('CREATE_COMPLETE');
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.assets.json'))) {
    const { files } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as {
      files: Record<
        string,
        { source: { path: string; packaging: string }; destinations: Record<string, { objectKey: string }> }
      >;
    };
    for (const { source, destinations } of Object.values(files)) {
      for (const { objectKey } of Object.values(destinations))
        assets.set(
          objectKey,
          source.packaging === 'zip' ? zipOf('index.mjs') : readFileSync(join(directory, source.path)),
        );
    }
  }
  const statuses = artifacts.map(({ stackName, template }) => [
    stackName,
    apply(stacks, stackName, template as CfnTemplate),
  ]);
  expect(statuses.map(([name]) => name)).toContain('agentmill-prod-workflow-second');
  expect(statuses.filter(([, status]) => status !== 'CREATE_COMPLETE')).toEqual([]);
});
