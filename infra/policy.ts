/** What a reader of templates checks of every IAM policy in them (infra-api-cli section 6). */

interface Template {
  Resources?: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
}

export interface PolicyFinding {
  resource: string;
  sid: string;
  problem: string;
}

/** Actions that AWS offers no resources for. */
const WITHOUT_RESOURCES = new Set([
  'xray:PutTraceSegments',
  'xray:PutTelemetryRecords',
  'xray:GetSamplingRules',
  'xray:GetSamplingTargets',
  'logs:CreateLogDelivery',
  'logs:GetLogDelivery',
  'logs:UpdateLogDelivery',
  'logs:DeleteLogDelivery',
  'logs:ListLogDeliveries',
  'logs:PutResourcePolicy',
  'logs:DescribeResourcePolicies',
  'logs:DescribeLogGroups',
  'ecr:GetAuthorizationToken',
  'sts:GetWebIdentityToken',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]);

interface Statement {
  Sid?: string;
  Effect: string;
  Action?: string | string[];
  NotAction?: unknown;
  Resource?: unknown;
  NotResource?: unknown;
}

const list = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

/** Every allow statement that is wider than it may be: a wildcard action, or all resources for an action that has resources. */
export function policyFindings(template: Template): PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  for (const [resource, { Type, Properties }] of Object.entries(template.Resources ?? {})) {
    const documents: unknown[] =
      Type === 'AWS::IAM::Policy' || Type === 'AWS::IAM::ManagedPolicy'
        ? [Properties?.PolicyDocument]
        : Type === 'AWS::IAM::Role'
          ? list(Properties?.Policies as { PolicyDocument: unknown }[] | undefined).map(
              (policy) => policy.PolicyDocument,
            )
          : [];
    for (const document of documents) {
      for (const statement of list(
        (document as { Statement?: Statement | Statement[] } | undefined)?.Statement,
      )) {
        if (statement.Effect !== 'Allow') continue;
        const add = (problem: string): void => {
          findings.push({ resource, sid: statement.Sid ?? '(no sid)', problem });
        };
        if (statement.NotAction !== undefined) add('NotAction allows all it does not name');
        if (statement.NotResource !== undefined) add('NotResource allows all it does not name');
        for (const action of list(statement.Action)) {
          if (action.includes('*')) add(`the action ${action} has a wildcard`);
          else if (list(statement.Resource).includes('*') && !WITHOUT_RESOURCES.has(action)) {
            add(`${action} is allowed on every resource`);
          }
        }
      }
    }
  }
  return findings;
}
