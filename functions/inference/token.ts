import type { Json } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { AgentmillError, defect, isError } from '#shared/task/errors.ts';

/** Well below the 900 s after which the state gives a silent task up. */
const HEARTBEAT_MS = 300_000;

export type Handed = { token: 'completed' | 'failed' | 'waiting'; error?: string };

/**
 * Runs work and completes its task token: success with what it returns, failure with the house name of what it throws,
 * heartbeats meanwhile. A delivery that another one has superseded leaves the token to that one.
 */
export async function withToken(
  token: string,
  ctx: TaskContext,
  work: () => Promise<unknown>,
): Promise<Handed> {
  const { workflows, clock } = ctx.runtime;
  const over = new AbortController();
  const beat = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, over.signal);
      await workflows.sendTaskHeartbeat(token);
    }
  };
  // Ends with the work, or when the token is closed already.
  beat().catch(() => undefined);
  try {
    const output = await work();
    if (output === undefined) return { token: 'waiting' };
    return await complete(ctx, () => workflows.sendTaskSuccess(token, output as Json), {
      token: 'completed',
    });
  } catch (thrown) {
    const error = thrown instanceof AgentmillError ? thrown : defect(String(thrown), { cause: thrown });
    if (error.data.superseded) {
      ctx.log.warn('Another delivery of this task goes on with its work.');
      return { token: 'waiting' };
    }
    ctx.log.warn('The batch ended with an error.', { error: error.name, detail: error.message });
    const failure = { error: error.name, cause: error.message };
    return await complete(ctx, () => workflows.sendTaskFailure(token, failure), {
      token: 'failed',
      error: error.name,
    });
  } finally {
    over.abort();
  }
}

/** A token that is closed or unknown has been answered by somebody else, or its execution has ended. */
export async function complete(
  ctx: Pick<TaskContext, 'log'>,
  send: () => Promise<void>,
  handed: Handed,
): Promise<Handed> {
  try {
    await send();
  } catch (error) {
    if (!isError(error, 'Conflict') && !isError(error, 'InvalidInput')) throw error;
    ctx.log.warn('The task token is no longer waited for.', { detail: (error as Error).message });
  }
  return handed;
}
