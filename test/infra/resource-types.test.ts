import { Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { checkedPlatform } from '#infra/checked.ts';
import { documentedTypes } from '#test/support/aws-double/served-types.ts';
import { buildFixture, deploy, sampleModel, sampleWorkflow } from './fixture.ts';

test('docs/deploy.md lists the resource types in use, no more and no less', () => {
  const workflow = sampleWorkflow();
  workflow.triggers.schedule = { expression: 'rate(1 day)', input: { key: 'x' } };
  const { catalog, routes, models } = checkedPlatform();
  const fixtures = [
    buildFixture({ catalog: [...catalog, workflow], routes, models: [...models, sampleModel({ deploy })] }),
    buildFixture({
      context: {
        stage: 'prod',
        auth: { type: 'jwt', issuer: 'https://login.example.com', audiences: ['agentmill'] },
        alarmEmail: 'ops@example.com',
        corsOrigins: ['https://app.example.com'],
      },
    }),
  ];
  const types = fixtures.flatMap(({ stacks }) =>
    [
      stacks.data,
      stacks.models,
      ...stacks.workflows.values(),
      stacks.entry,
      stacks.ops,
      stacks.sandbox!,
    ].flatMap((stack) =>
      Object.values(Template.fromStack(stack).toJSON().Resources as Record<string, { Type: string }>).map(
        ({ Type }) => Type,
      ),
    ),
  );
  expect(documentedTypes()).toEqual([...new Set(types)].sort());
}, 600_000);
