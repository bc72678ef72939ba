import { Duration } from 'aws-cdk-lib';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';

/**
 * The sum of a metric over whatever dimension is not given, for dashboards; alarms take no searches.
 * @param schema namespace and dimension names, `{Agentmill,stage,workflow,task}`.
 */
export function searchSum(
  metricName: string,
  schema: string,
  dimensions: Record<string, string>,
): MathExpression {
  const given = Object.entries(dimensions).map(([name, value]) => `${name}="${value}"`);
  const search = `${schema} MetricName="${metricName}" ${given.join(' ')}`;
  return new MathExpression({
    label: metricName,
    expression: `SUM(SEARCH('${search}', 'Sum', 300))`,
    usingMetrics: {},
    period: Duration.minutes(5),
  });
}
