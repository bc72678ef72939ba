import { readFile } from 'node:fs/promises';
import type { Runtime } from '#shared/task/runtime.ts';
import { member, textOf } from '../codecs/codec.ts';
import { isLoopback } from '../registry/loopback.ts';
import { unsent } from './errors.ts';

/** A short-lived bearer token. */
export interface Token {
  token: string;
  /** Milliseconds since the epoch; absent: it does not expire. */
  expiresAt?: number;
}

/** Without an `exp` claim a token counts as good for this long. */
const UNKNOWN_LIFE_MS = 300_000;

/**
 * An OIDC identity token of this workload for an audience, from the first source there is:
 * 1. `AGENTMILL_OIDC_TOKEN_URL`: an identity server asked with `?audience=` (a metadata server, a CI system), with
 *    the header `Metadata-Flavor: Google` and, where set, the bearer `AGENTMILL_OIDC_REQUEST_TOKEN`;
 * 2. `AGENTMILL_OIDC_TOKEN_FILE`: a projected token file, reread on every refresh;
 * 3. on AWS: `sts:GetWebIdentityToken` of the role the code runs as (IAM outbound identity federation).
 * @throws ProviderError AUTH
 */
export async function oidcToken(
  audience: string,
  runtime: Pick<Runtime, 'kind' | 'env' | 'clock'>,
): Promise<Token> {
  const { env } = runtime;
  let jwt: string;
  if (env.AGENTMILL_OIDC_TOKEN_URL) jwt = await fromServer(env.AGENTMILL_OIDC_TOKEN_URL, audience, env);
  else if (env.AGENTMILL_OIDC_TOKEN_FILE) jwt = await fromFile(env.AGENTMILL_OIDC_TOKEN_FILE);
  else if (runtime.kind === 'aws') jwt = await fromSts(audience);
  else {
    throw unsent(
      'AUTH',
      'No source of identity tokens: set AGENTMILL_OIDC_TOKEN_URL or AGENTMILL_OIDC_TOKEN_FILE (docs/models.md).',
    );
  }
  return { token: jwt, expiresAt: expiryOf(jwt) ?? runtime.clock.now() + UNKNOWN_LIFE_MS };
}

/** Only the reserved, link-local metadata address and loopback may be asked in the clear. */
function assertSafe(url: URL): void {
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return;
  if (['metadata.google.internal', '169.254.169.254'].includes(url.hostname)) return;
  throw unsent('AUTH', 'AGENTMILL_OIDC_TOKEN_URL must be HTTPS, a loopback address or the metadata server.');
}

async function fromServer(text: string, audience: string, env: Runtime['env']): Promise<string> {
  if (!URL.canParse(text)) throw unsent('AUTH', 'AGENTMILL_OIDC_TOKEN_URL is no address.');
  const url = new URL(text);
  assertSafe(url);
  url.searchParams.set('audience', audience);
  const bearer = env.AGENTMILL_OIDC_REQUEST_TOKEN;
  let body: string;
  try {
    const response = await fetch(url, {
      headers: { 'Metadata-Flavor': 'Google', ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}) },
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    body = (await response.text()).trim();
  } catch (error) {
    throw unsent('AUTH', `The identity server gave no token: ${(error as Error).message}.`, error);
  }
  if (!body.startsWith('{')) return checked(body);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    throw unsent('AUTH', 'The answer of the identity server is neither a token nor JSON.', error);
  }
  return checked(
    ['value', 'token', 'id_token', 'access_token'].map((key) => textOf(member(parsed, key))).find(Boolean) ??
      '',
  );
}

async function fromFile(path: string): Promise<string> {
  try {
    return checked((await readFile(path, 'utf8')).trim());
  } catch (error) {
    throw unsent('AUTH', `AGENTMILL_OIDC_TOKEN_FILE cannot be used: ${(error as Error).message}`, error);
  }
}

async function fromSts(audience: string): Promise<string> {
  try {
    const { STSClient, GetWebIdentityTokenCommand } = await import('@aws-sdk/client-sts');
    const client = new STSClient({});
    try {
      const command = new GetWebIdentityTokenCommand({
        Audience: [audience],
        SigningAlgorithm: 'RS256',
        DurationSeconds: 900,
      });
      return checked((await client.send(command)).WebIdentityToken ?? '');
    } finally {
      client.destroy();
    }
  } catch (error) {
    throw unsent('AUTH', `sts:GetWebIdentityToken gave no token: ${(error as Error).name}.`, error);
  }
}

/** Tokens go into a header: one visible word. */
function checked(token: string): string {
  if (!/^[\x21-\x7e]{1,16384}$/.test(token))
    throw unsent('AUTH', 'The identity token is no single printable word.');
  return token;
}

/** The `exp` claim of a JWT in milliseconds, where it can be read. The signature is the server's to check. */
export function expiryOf(jwt: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
    const expiry = member(claims, 'exp');
    return typeof expiry === 'number' && Number.isFinite(expiry) ? expiry * 1000 : undefined;
  } catch {
    return undefined;
  }
}
