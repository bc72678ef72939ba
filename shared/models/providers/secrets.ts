import type { Runtime } from '#shared/task/runtime.ts';
import { unsent } from './errors.ts';

/** How long a secret read from Secrets Manager is kept (infra-api-cli section 5). */
const KEEP_MS = 300_000;

const kept = new WeakMap<object, Map<string, { value: string; at: number }>>();

/**
 * The value of a named secret: on AWS from Secrets Manager; elsewhere from the environment variable of that name,
 * or from Secrets Manager when the name is an ARN or a path (`agentmill/dev/models/gateway`).
 * @param fresh read again even when kept.
 * @throws ProviderError AUTH naming the secret, never its value.
 */
export async function readSecret(
  name: string,
  runtime: Pick<Runtime, 'kind' | 'env' | 'clock'>,
  fresh = false,
): Promise<string> {
  if (runtime.kind !== 'aws' && !/[:/]/.test(name)) {
    const value = runtime.env[name];
    if (!value) throw unsent('AUTH', `The secret ${name} is not set: export it as an environment variable.`);
    return value;
  }
  const cache = kept.get(runtime) ?? new Map<string, { value: string; at: number }>();
  kept.set(runtime, cache);
  const known = cache.get(name);
  if (known && !fresh && runtime.clock.now() - known.at < KEEP_MS) return known.value;
  let value: string | undefined;
  try {
    const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
    const client = new SecretsManagerClient({});
    try {
      value = (await client.send(new GetSecretValueCommand({ SecretId: name }))).SecretString;
    } finally {
      client.destroy();
    }
  } catch (error) {
    throw unsent('AUTH', `The secret ${name} cannot be read: ${(error as Error).name}.`, error);
  }
  if (!value) throw unsent('AUTH', `The secret ${name} is empty.`);
  cache.set(name, { value, at: runtime.clock.now() });
  return value;
}
