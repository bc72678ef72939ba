import type { Authorise } from './client.ts';
import { CliError, EXIT } from './exit.ts';

/** The embedded platform on loopback asks for nothing. */
export const loopback: Authorise = ({ headers }) => Promise.resolve(headers);

export const bearer =
  (token: string): Authorise =>
  ({ headers }) =>
    Promise.resolve({ ...headers, authorization: `Bearer ${token}` });

/** SigV4 for API Gateway with IAM authorisation, with the credentials the AWS SDK would use. */
export function sigV4(options: { region: string | undefined; profile: string | undefined }): Authorise {
  let signer: Promise<{ sign(request: object): Promise<{ headers: Record<string, string> }> }> | undefined;
  const open = async (region: string) => {
    // Loaded only for remote calls: the embedded platform needs no AWS code.
    const [{ SignatureV4 }, { defaultProvider }, { Sha256 }] = await Promise.all([
      import('@smithy/signature-v4'),
      import('@aws-sdk/credential-provider-node'),
      import('@aws-crypto/sha256-js'),
    ]);
    return new SignatureV4({
      service: 'execute-api',
      region,
      sha256: Sha256,
      credentials: defaultProvider(options.profile ? { profile: options.profile } : {}),
    }) as unknown as { sign(request: object): Promise<{ headers: Record<string, string> }> };
  };
  return async ({ method, url, headers, body }) => {
    const region =
      options.region ?? /\.execute-api\.([a-z0-9-]+)\./.exec(url.hostname)?.[1] ?? process.env.AWS_REGION;
    if (!region) {
      throw new CliError(
        EXIT.usage,
        'The region of the endpoint is not known: give --region or set AWS_REGION.',
      );
    }
    signer ??= open(region);
    const query: Record<string, string> = {};
    url.searchParams.forEach((value, name) => (query[name] = value));
    try {
      const signed = await (
        await signer
      ).sign({
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        ...(url.port ? { port: Number(url.port) } : {}),
        path: url.pathname,
        query,
        headers: { ...headers, host: url.host },
        body,
      });
      delete signed.headers.host;
      return signed.headers;
    } catch (error) {
      throw new CliError(EXIT.unreachable, `The request could not be signed: ${(error as Error).message}`, [
        'Set AGENTMILL_TOKEN for an endpoint with JWT authorisation, or AWS credentials (--profile) for IAM.',
      ]);
    }
  };
}
