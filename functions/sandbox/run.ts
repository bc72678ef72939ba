import { z } from 'zod';
import { openPool } from '#shared/sandbox/pool.ts';
import type { RemoteReply } from '#shared/sandbox/remote.ts';
import { invalidInput } from '#shared/task/errors.ts';

/**
 * The sandbox on AWS: a function of its own that runs generated Python. It opens no runtime and knows no bucket, no
 * table and no key; its network leads nowhere. Each invocation has children of its own, which end with it.
 */

const Request = z.looseObject({
  id: z.string(),
  language: z.literal('python'),
  code: z.string(),
  setup: z.string().optional(),
  call: z.string().optional(),
  timeoutMs: z.number(),
  memoryMb: z.number(),
  seed: z.number(),
  packages: z.array(z.enum(['sympy', 'mpmath'])).optional(),
});

const Event = z.object({ unitId: z.string(), requests: z.array(Request).max(10_000) });

/** The only folder of a function that can be written; wheels, where there are any, lie beside the code. */
const SETTINGS = { AGENTMILL_SANDBOX_CACHE: '/tmp/agentmill-sandbox' };

/**
 * Takes `{unitId, requests}`, gives `{results}` in the order of the requests.
 * @throws InvalidInput naming what is wrong with the event; a request's own failure is its result.
 */
export async function handler(event: unknown): Promise<RemoteReply> {
  const parsed = Event.safeParse(event);
  if (!parsed.success) throw invalidInput(`The sandbox's event is not one: ${z.prettifyError(parsed.error)}`);
  const { unitId, requests } = parsed.data;
  const sandbox = openPool({ ...process.env, ...SETTINGS });
  try {
    const results = [];
    // Exact optional properties: an absent field and one that is undefined are the same to the child.
    for await (const result of sandbox.runBatch(requests as Parameters<typeof sandbox.runBatch>[0], {
      unitId,
    })) {
      results.push(result);
    }
    return { results };
  } finally {
    await sandbox.close();
  }
}
