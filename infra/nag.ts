import { Stack, Validations, type App } from 'aws-cdk-lib';
import { Effect, PolicyStatement, type Policy, type Role } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { flattenCfnReference } from 'cdk-nag/lib/utils/flatten-cfn-reference.js';
import type { IConstruct } from 'constructs';
import type { StatementSpec } from './iam.ts';

/** One accepted finding, for the test that fails on stale ones. */
export interface Acknowledgement {
  path: string;
  id: string;
  reason: string;
}

const made = new WeakMap<IConstruct, Acknowledgement[]>();

/** Registers the AwsSolutions pack; synth then fails on what is not acknowledged. */
export function addNag(app: App): AwsSolutionsChecks {
  const checks = new AwsSolutionsChecks(app);
  Validations.of(app).addPlugins(checks);
  return checks;
}

/** Accepts one exact finding (`Rule` or `Rule[Finding]`) on a construct, with the reason why it stands. */
export function acknowledge(construct: IConstruct, id: string, reason: string): void {
  const root = construct.node.root;
  const list = made.get(root) ?? [];
  if (list.some((item) => item.path === construct.node.path && item.id === id)) return;
  made.set(root, [...list, { path: construct.node.path, id, reason }]);
  Validations.of(construct).acknowledge({ id, reason });
}

/** The acknowledgements made in an app. */
export const acknowledgementsOf = (app: App): readonly Acknowledgement[] => made.get(app) ?? [];

/** Adds a statement to a role or policy, and acknowledges its wildcard resources with the statement's own reason. */
export function addStatement(target: Role | Policy, spec: StatementSpec): void {
  const statement = new PolicyStatement({
    sid: spec.sid,
    effect: Effect.ALLOW,
    actions: spec.actions,
    resources: spec.resources,
    ...(spec.conditions ? { conditions: spec.conditions } : {}),
  });
  if ('addToPolicy' in target) target.addToPolicy(statement);
  else target.addStatements(statement);
  for (const resource of spec.resources) {
    const flat = flattenCfnReference(Stack.of(target).resolve(resource));
    if (!flat.includes('*')) continue;
    if (!spec.wildcard) throw new Error(`Statement ${spec.sid} names ${flat} without a reason.`);
    acknowledge(target, `AwsSolutions-IAM5[Resource::${flat}]`, spec.wildcard);
  }
}
