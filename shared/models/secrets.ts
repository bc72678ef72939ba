import { invalidInput } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { readSecret } from './providers/secrets.ts';

/**
 * The value of a named secret, for services that are no models: read as models' secrets are (docs/models.md).
 * @throws InvalidInput naming the secret and what to do, never its value.
 */
export async function secretValue(
  name: string,
  runtime: Pick<Runtime, 'kind' | 'env' | 'clock'>,
): Promise<string> {
  try {
    return await readSecret(name, runtime);
  } catch (error) {
    throw invalidInput((error as Error).message, { cause: error });
  }
}
