import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { CfnStage } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  CorsHttpMethod,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  type IHttpRouteAuthorizer,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Context } from '../context.ts';
import { acknowledge } from '../nag.ts';
import type { StageSettings } from '../stages.ts';

/** What the front needs of a route of functions/api: the same table drives router, OpenAPI and the embedded gateway. */
export interface FrontRoute {
  method: string;
  /** API Gateway's own notation, `/v1/jobs/{jobId}`. */
  path: string;
  /** Absent on the one open route. */
  scope?: string;
}

/** Routes that make work; they are throttled harder (infra-api-cli section 7). */
const HEAVY = new Set(['POST /v1/jobs', 'POST /v1/uploads']);

/** Routes that only read and write records, whose speed says how the API is; others wait for events, searches or tools. */
export const PROMPT_ROUTES = ['GET /v1/jobs', 'GET /v1/jobs/{jobId}', 'POST /v1/jobs'];

const THROTTLE = { rateLimit: 50, burstLimit: 100 };
const HEAVY_THROTTLE = { rateLimit: 5, burstLimit: 10 };

/** The HTTP API: one route each, one authoriser a stage, throttles and access logs. */
export class HttpApiFront extends Construct {
  readonly api: HttpApi;

  constructor(
    scope: Construct,
    id: string,
    props: { context: Context; settings: StageSettings; routes: readonly FrontRoute[]; handler: IFunction },
  ) {
    super(scope, id);
    const { context, settings } = props;
    this.api = new HttpApi(this, 'Api', {
      apiName: `agentmill-${context.stage}`,
      description: 'Agentmill: jobs, uploads, outputs',
      createDefaultStage: false,
      ...(context.corsOrigins.length > 0
        ? {
            corsPreflight: {
              allowOrigins: context.corsOrigins,
              allowMethods: [CorsHttpMethod.GET, CorsHttpMethod.POST],
              allowHeaders: [
                'authorization',
                'content-type',
                'idempotency-key',
                'if-none-match',
                'last-event-id',
                // What a browser's SigV4 adds.
                'x-amz-content-sha256',
                'x-amz-date',
                'x-amz-security-token',
              ],
              exposeHeaders: ['location', 'etag', 'retry-after', 'x-request-id', 'idempotency-replayed'],
              maxAge: Duration.hours(1),
            },
          }
        : {}),
    });
    const logs = new LogGroup(this, 'AccessLogs', {
      logGroupName: `/agentmill/${context.stage}/api/access`,
      retention: settings.logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: THROTTLE,
    });
    // One permission for the API, whose every route is ours: one a route would fill the 20 KB of a function's policy.
    const integration = new HttpLambdaIntegration('Handler', props.handler, {
      scopePermissionToRoute: false,
    });
    const authorizer = authorizerOf(context);
    const settled: string[] = [];
    for (const route of props.routes) {
      const key = `${route.method} ${route.path}`;
      const open = route.scope === undefined;
      const built = new HttpRoute(
        this,
        `Route${key.replace(/[^A-Za-z0-9]+(.)?/g, (_, next?: string) => (next ?? '').toUpperCase())}`,
        {
          httpApi: this.api,
          routeKey: HttpRouteKey.with(route.path, HttpMethod[route.method as keyof typeof HttpMethod]),
          integration,
          // Scopes are set per route: an API-wide default would mark the open route too.
          authorizer: open ? new HttpNoneAuthorizer() : authorizer,
          ...(open || context.auth.type === 'iam' ? {} : { authorizationScopes: [route.scope!] }),
        },
      );
      if (open)
        acknowledge(
          built,
          'AwsSolutions-APIG4',
          'The health route tells only that the API is there and its version.',
        );
      if (HEAVY.has(key) || PROMPT_ROUTES.includes(key)) settled.push(key);
    }
    const cfnStage = stage.node.defaultChild as CfnStage;
    cfnStage.routeSettings = Object.fromEntries(
      settled.sort().map((key) => {
        const { rateLimit, burstLimit } = HEAVY.has(key) ? HEAVY_THROTTLE : THROTTLE;
        return [
          key,
          {
            // Settings of a route stand for all of the stage's, so the throttle is said again.
            ThrottlingRateLimit: rateLimit,
            ThrottlingBurstLimit: burstLimit,
            ...(PROMPT_ROUTES.includes(key) ? { DetailedMetricsEnabled: true } : {}),
          },
        ];
      }),
    );
    for (const child of this.node.children) {
      if (child instanceof HttpRoute) cfnStage.node.addDependency(child);
    }
    cfnStage.accessLogSettings = {
      destinationArn: logs.logGroupArn,
      // No query and no body: they may hold what callers consider private.
      format: JSON.stringify({
        requestId: '$context.requestId',
        time: '$context.requestTimeEpoch',
        route: '$context.routeKey',
        status: '$context.status',
        latency: '$context.responseLatency',
        bytes: '$context.responseLength',
        error: '$context.error.message',
      }),
    };
  }

  get url(): string {
    return this.api.apiEndpoint;
  }

  /** The stack that owns the API. */
  get stack(): Stack {
    return Stack.of(this);
  }
}

function authorizerOf(context: Context): IHttpRouteAuthorizer {
  return context.auth.type === 'iam'
    ? new HttpIamAuthorizer()
    : new HttpJwtAuthorizer('Jwt', context.auth.issuer, { jwtAudience: context.auth.audiences });
}
