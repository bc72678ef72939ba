import type { RouteMatch } from './request-event.ts';

export interface GatewayRoute {
  method: string;
  /** API Gateway's notation: `/v1/jobs/{jobId}`, `{proxy+}` for the rest of the path. */
  path: string;
}

interface Compiled {
  method: string;
  routeKey: string;
  segments: string[];
}

/** Finds the route of a request as an HTTP API does: by segments, literal ones before parameters. */
export function routeMatcher(
  routes: readonly GatewayRoute[],
): (method: string, path: string) => RouteMatch | undefined {
  const compiled: Compiled[] = routes.map(({ method, path }) => ({
    method,
    routeKey: `${method} ${path}`,
    segments: path.split('/'),
  }));
  const literals = ({ segments }: Compiled): number =>
    segments.filter((segment) => !segment.startsWith('{')).length;
  compiled.sort((a, b) => literals(b) - literals(a));
  return (method, path) => {
    const parts = path.split('/');
    for (const route of compiled) {
      if (route.method !== method && route.method !== 'ANY') continue;
      const pathParameters = parametersOf(route.segments, parts);
      if (pathParameters) {
        return {
          routeKey: route.routeKey,
          ...(Object.keys(pathParameters).length > 0 ? { pathParameters } : {}),
        };
      }
    }
    return undefined;
  };
}

function parametersOf(segments: string[], parts: string[]): Record<string, string> | undefined {
  const found: [string, string][] = [];
  for (const [at, segment] of segments.entries()) {
    const name = /^\{(.+?)(\+?)\}$/.exec(segment);
    if (name?.[2] === '+') {
      const rest = parts.slice(at).join('/');
      return rest === '' ? undefined : Object.fromEntries([...found, [name[1]!, rest]]);
    }
    const part = parts[at];
    if (part === undefined || (name ? part === '' : part !== segment)) return undefined;
    if (name) found.push([name[1]!, part]);
  }
  return segments.length === parts.length ? Object.fromEntries(found) : undefined;
}
