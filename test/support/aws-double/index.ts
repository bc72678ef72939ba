import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { cloudformation } from './cloudformation.ts';
import { unchunk } from './objects.ts';
import { answerXml, faultXml, parseForm } from './query.ts';
import { Stacks } from './stacks.ts';
import { ACCOUNT, AwsFault, PARTITION } from './types.ts';

export interface AwsDouble {
  endpoint: string;
  stacks: Stacks;
  /** Every request, as `service Action`. */
  calls: string[];
  /** Requests that this endpoint does not serve. */
  unsupported: string[];
  close(): Promise<void>;
}

/**
 * An AWS-compatible endpoint on loopback with the services that the CDK command talks to: CloudFormation, S3, STS and
 * Systems Manager parameters. It makes no resources; it checks templates as the services would (`stacks.ts`).
 * @param allowed the resource types that a stack may have, by its name.
 */
export async function startAwsDouble(
  allowed: (stack: string) => ReadonlySet<string>,
  region = 'eu-west-1',
): Promise<AwsDouble> {
  const stacks = new Stacks(region, allowed);
  const calls: string[] = [];
  const unsupported: string[] = [];
  const query = {
    cloudformation: cloudformation(stacks),
    sts: {
      GetCallerIdentity: () => ({
        Account: ACCOUNT,
        UserId: 'AIDAEXAMPLE',
        Arn: `arn:${PARTITION}:iam::${ACCOUNT}:user/test`,
      }),
      AssumeRole: ({ RoleArn, RoleSessionName }: { RoleArn: string; RoleSessionName: string }) => {
        const known = [...stacks.live()].some(
          ({ type, attributes }) => type === 'AWS::IAM::Role' && attributes.Arn === RoleArn,
        );
        if (!known)
          throw new AwsFault(
            'AccessDenied',
            `User is not authorized to perform: sts:AssumeRole on ${RoleArn}`,
            403,
          );
        return {
          Credentials: {
            AccessKeyId: 'ASIAEXAMPLE',
            SecretAccessKey: 'secret',
            SessionToken: 'token',
            Expiration: new Date(Date.now() + 3_600_000),
          },
          AssumedRoleUser: {
            AssumedRoleId: `AROAEXAMPLE:${RoleSessionName}`,
            Arn: `${RoleArn}/${RoleSessionName}`,
          },
        };
      },
    },
  };
  const json: Record<string, (input: { Name: string }) => unknown> = {
    'AmazonSSM.GetParameter': ({ Name }) => ({
      Parameter: { Name, Type: 'String', Value: stacks.parameter(Name) },
    }),
  };

  const answer = async (request: IncomingMessage) => {
    // The scope of the signature names the service: …Credential=<key>/<day>/<region>/<service>/aws4_request
    const service =
      /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? 'none';
    const url = new URL(request.url ?? '/', 'http://localhost');
    let body: Buffer = await buffer(request);
    if (request.headers['content-encoding']?.includes('gzip')) body = gunzipSync(body);
    if (service === 's3') {
      calls.push(`s3 ${request.method}`);
      if (String(request.headers['x-amz-content-sha256']).startsWith('STREAMING-')) body = unchunk(body);
      return { xml: true, ...stacks.objects.handle(request, url, body) };
    }
    const target = request.headers['x-amz-target'];
    if (typeof target === 'string') {
      calls.push(target.replace('.', ' '));
      const handler = json[target];
      if (!handler) throw new AwsFault('UnknownOperationException', target);
      return { xml: false, body: JSON.stringify(handler(JSON.parse(body.toString('utf8')) as never)) };
    }
    const form = parseForm(body.toString('utf8')) as { Action: string };
    calls.push(`${service} ${form.Action}`);
    const handler = (query as Record<string, Record<string, (input: never) => unknown>>)[service]?.[
      form.Action
    ];
    if (!handler) throw new AwsFault('InvalidAction', `${service} ${form.Action}`);
    return { xml: true, body: answerXml(form.Action, handler(form as never)) };
  };

  const server = createServer((request, response) => {
    answer(request).then(
      ({
        xml,
        body = '',
        ...reply
      }: {
        xml: boolean;
        body?: string | Buffer;
        status?: number;
        headers?: Record<string, string>;
      }) => {
        response.writeHead(reply.status ?? 200, {
          'content-type': xml ? 'text/xml' : 'application/x-amz-json-1.1',
          ...reply.headers,
        });
        response.end(body);
      },
      (error: unknown) => {
        const fault =
          error instanceof AwsFault
            ? error
            : new AwsFault('InternalFailure', String((error as Error).stack), 500);
        if (
          ['InvalidAction', 'UnknownOperationException', 'NotImplemented', 'InternalFailure'].includes(
            fault.code,
          )
        )
          unsupported.push(`${fault.code}: ${fault.message}`);
        const isJson = typeof request.headers['x-amz-target'] === 'string';
        response.writeHead(fault.status, {
          'content-type': isJson ? 'application/x-amz-json-1.1' : 'text/xml',
        });
        if (isJson) response.end(JSON.stringify({ __type: fault.code, message: fault.message }));
        else if (request.headers.authorization?.includes('/s3/'))
          response.end(
            request.method === 'HEAD'
              ? ''
              : `<Error><Code>${fault.code}</Code><Message>${fault.message}</Message></Error>`,
          );
        else response.end(faultXml(fault.code, fault.message));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stacks,
    calls,
    unsupported,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
