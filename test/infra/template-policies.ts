import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { PlatformStacks } from '#infra/platform.ts';
import type { Arns, Statement } from '#test/support/iam.ts';

/** The policies of functions and machines as templates give them, with every ARN written out. */

const PARTS: Record<string, string> = {
  bucketArn: 'arn:aws:s3:::agentmill-local',
  bucketName: 'agentmill-local',
  tableArn: 'arn:aws:dynamodb:eu-west-1:1:table/records',
  startsArn: 'arn:aws:sqs:eu-west-1:1:agentmill-dev-starts',
};
const PSEUDO: Record<string, string> = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'eu-west-1',
  'AWS::AccountId': '1',
};

export const ARNS: Arns = {
  bucket: PARTS.bucketArn!,
  table: PARTS.tableArn!,
  queue: (name) => `arn:aws:sqs:eu-west-1:1:agentmill-dev-${name}`,
  machine: (name) => `arn:aws:states:eu-west-1:1:stateMachine:agentmill-dev-${name}`,
};

interface Resource {
  Type: string;
  Properties: Record<string, unknown>;
}

/** Text of what intrinsic functions give in this account; other references by their logical id. */
function plain(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(plain);
  if (typeof node !== 'object' || node === null) return node;
  const [[name, value] = ['', undefined]] = Object.entries(node);
  if (name === 'Ref') return PSEUDO[value as string] ?? `<${String(value)}>`;
  if (name === 'Fn::ImportValue') return PARTS[String(value).split('-').at(-1)!] ?? `<${String(value)}>`;
  if (name === 'Fn::GetAtt') return `<${(value as string[]).join('.')}>`;
  if (name === 'Fn::Join') {
    const [separator, items] = value as [string, unknown[]];
    return items.map(plain).join(separator);
  }
  return Object.fromEntries(Object.entries(node).map(([key, member]) => [key, plain(member)]));
}

const referenced = (node: unknown): string => {
  const call = node as { Ref?: string; 'Fn::GetAtt'?: string[] };
  return call.Ref ?? call['Fn::GetAtt']![0]!;
};

/** Statements by function name, and by machine name. */
export function policiesOf(stacks: PlatformStacks): Map<string, Statement[]> {
  const found = new Map<string, Statement[]>();
  const all: Stack[] = [stacks.models, stacks.entry, ...stacks.workflows.values()];
  for (const stack of all) {
    const resources = Object.values(Template.fromStack(stack).toJSON().Resources as Record<string, Resource>);
    const byRole = new Map<string, Statement[]>();
    for (const { Type, Properties } of resources) {
      if (Type !== 'AWS::IAM::Policy') continue;
      const { Statement: statements } = plain(Properties.PolicyDocument) as { Statement: Statement[] };
      for (const role of Properties.Roles as unknown[]) {
        const id = referenced(role);
        byRole.set(id, [...(byRole.get(id) ?? []), ...statements]);
      }
    }
    for (const { Type, Properties } of resources) {
      const name = Properties?.FunctionName ?? Properties?.StateMachineName;
      const role = Properties?.Role ?? Properties?.RoleArn;
      if (/Lambda::Function$|StateMachine$/.test(Type))
        found.set(name as string, byRole.get(referenced(role)) ?? []);
    }
  }
  return found;
}

/** The values that a machine's template binds its definition's placeholders to; a published function version is number 7. */
export function substitutionsOf(stack: Stack): Record<string, string> {
  const { Resources } = Template.fromStack(stack).toJSON() as { Resources: Record<string, Resource> };
  const machine = Object.values(Resources).find(({ Type }) => Type === 'AWS::StepFunctions::StateMachine')!;
  const valueOf = (value: unknown): string => {
    const { Ref } = value as { Ref?: string };
    const version = Ref === undefined ? undefined : Resources[Ref];
    if (version?.Type !== 'AWS::Lambda::Version') return String(plain(value));
    return `<${referenced(version.Properties.FunctionName)}.Arn>:7`;
  };
  const bound = Object.entries(machine.Properties.DefinitionSubstitutions as object);
  return Object.fromEntries(bound.map(([name, value]) => [name, valueOf(value)]));
}
