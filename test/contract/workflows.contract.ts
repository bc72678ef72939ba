import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json, Workflows } from '#shared/storage/ports.ts';
import { failure } from './support.ts';

/**
 * The machines a maker provides, by name; each takes any input:
 * - `echo` succeeds with its input;
 * - `waits` stays RUNNING until stopped (a Wait state of an hour of real or virtual time that nobody lets pass);
 * - `flaky` fails with error `Flaky` and cause `once` at its first attempt and succeeds with `"mended"` when redriven;
 * - `token` waits for a task token (heartbeat limit far off) and succeeds with the token's output, or fails with the
 *   token's failure.
 */
export interface WorkflowsUnderTest {
  workflows: Workflows;
  /** The task token that the named execution of `token` waits with. */
  tokenOf(executionArn: string): Promise<string>;
  close(): Promise<void>;
}

/** What every adapter of the workflows port does (embedded-platform section 9). */
export function workflowsContract(adapter: string, make: () => Promise<WorkflowsUnderTest>): void {
  describe(`workflows: ${adapter}`, () => {
    let under: WorkflowsUnderTest;
    let workflows: Workflows;
    beforeAll(async () => {
      under = await make();
      workflows = under.workflows;
    });
    afterAll(() => under.close());

    async function ended(arn: string) {
      await expect.poll(async () => (await workflows.describe(arn)).status).not.toBe('RUNNING');
      return workflows.describe(arn);
    }
    const start = (machine: string, name: string, input: Json = {}) =>
      workflows.start({ machine, name, input });

    it('starts, runs and describes', async () => {
      const input = { text: 'grüße', n: [1, null, { deep: true }] };
      const { executionArn, started } = await start('echo', 'echo-1', input);
      expect(executionArn).toMatch(/^arn:[^:]+:states:[^:]*:[^:]*:execution:.*echo:echo-1$/);
      const description = await ended(executionArn);
      expect(description).toMatchObject({
        executionArn,
        name: 'echo-1',
        machine: 'echo',
        status: 'SUCCEEDED',
        input,
        output: input,
        started,
        redriveCount: 0,
      });
      expect(description.stopped).toBeGreaterThanOrEqual(started);
      expect(description).not.toHaveProperty('error');
    });

    it('[embedded-platform 35] a used name with equal input while it runs is the same execution, else Conflict', async () => {
      const first = await start('waits', 'same', { a: 1, b: 2 });
      expect(await start('waits', 'same', { b: 2, a: 1 })).toEqual(first);
      expect((await failure(start('waits', 'same', { a: 2 }), 'Conflict')).message).toContain(
        'ExecutionAlreadyExists',
      );
      await workflows.stop(first.executionArn);
      await failure(start('waits', 'same', { a: 1, b: 2 }), 'Conflict');
    });

    it('refuses bad names, unknown executions and unknown machines', async () => {
      await failure(start('echo', 'no spaces'), 'InvalidInput');
      await failure(start('echo', 'x'.repeat(81)), 'InvalidInput');
      await failure(start('echo', 'large', 'x'.repeat(262_145)), 'InvalidInput');
      const { executionArn } = await start('echo', 'known');
      await failure(workflows.describe(executionArn.replace(/known$/, 'unknown')), 'NotFound');
      await expect(start('no-such-machine', 'x')).rejects.toMatchObject({
        name: expect.stringMatching(/NotFound|InvalidInput/) as string,
      });
    });

    it('stops with an error and a cause', async () => {
      const { executionArn } = await start('waits', 'stopped');
      expect((await workflows.describe(executionArn)).status).toBe('RUNNING');
      await workflows.stop(executionArn, { error: 'Cancelled', cause: 'by its owner' });
      expect(await workflows.describe(executionArn)).toMatchObject({
        status: 'ABORTED',
        error: 'Cancelled',
        cause: 'by its owner',
      });
    });

    it('lists by machine and status, page by page', async () => {
      for (let n = 0; n < 5; n++) await start('waits', `listed-${n}`);
      const names: string[] = [];
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const page = await workflows.list({
          machine: 'waits',
          status: 'RUNNING',
          limit: 2,
          ...(cursor === undefined ? {} : { cursor }),
        });
        expect(page.items.length).toBeLessThanOrEqual(2);
        names.push(...page.items.map(({ name }) => name));
        cursor = page.cursor;
      }
      const listed = names.filter((name) => name.startsWith('listed-'));
      expect(listed.toSorted()).toEqual(['listed-0', 'listed-1', 'listed-2', 'listed-3', 'listed-4']);
      expect(new Set(names).size).toBe(names.length);
      const { items } = await workflows.list({ machine: 'waits', status: 'ABORTED' });
      expect(items.every(({ status, machine }) => status === 'ABORTED' && machine === 'waits')).toBe(true);
    });

    it('a task token succeeds once; later answers are Conflict, unknown tokens InvalidInput', async () => {
      const { executionArn } = await start('token', 'token-success');
      const token = await under.tokenOf(executionArn);
      await workflows.sendTaskHeartbeat(token);
      await workflows.sendTaskSuccess(token, { ok: true });
      expect(await ended(executionArn)).toMatchObject({ status: 'SUCCEEDED', output: { ok: true } });
      for (const late of [
        workflows.sendTaskSuccess(token, {}),
        workflows.sendTaskFailure(token, {}),
        workflows.sendTaskHeartbeat(token),
      ]) {
        expect((await failure(late, 'Conflict')).message).toContain('TaskTimedOut');
      }
      await failure(workflows.sendTaskSuccess('not-a-token', {}), 'InvalidInput');
    });

    it('a task token fails with its error and cause', async () => {
      const { executionArn } = await start('token', 'token-failure');
      await workflows.sendTaskFailure(await under.tokenOf(executionArn), { error: 'Busy', cause: 'no room' });
      expect(await ended(executionArn)).toMatchObject({ status: 'FAILED', error: 'Busy', cause: 'no room' });
    });

    it('gives the history, page by page and backwards', async () => {
      const { executionArn } = await start('echo', 'history');
      await ended(executionArn);
      const all = (await workflows.history(executionArn)).events;
      expect(all[0]).toMatchObject({ id: 1, previousEventId: 0, type: 'ExecutionStarted' });
      expect(all.at(-1)).toMatchObject({ type: 'ExecutionSucceeded' });
      expect(all.map(({ id }) => id)).toEqual(all.map((_, n) => n + 1));
      const paged: unknown[] = [];
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const page = await workflows.history(executionArn, {
          limit: 1,
          ...(cursor === undefined ? {} : { cursor }),
        });
        paged.push(...page.events);
        cursor = page.cursor;
      }
      expect(paged).toEqual(all);
      expect((await workflows.history(executionArn, { descending: true })).events).toEqual(all.toReversed());
    });

    it('redrives what failed, and nothing that succeeded', async () => {
      const { executionArn } = await start('flaky', 'redriven');
      expect(await ended(executionArn)).toMatchObject({ status: 'FAILED', error: 'Flaky', cause: 'once' });
      await workflows.redrive(executionArn);
      expect(await ended(executionArn)).toMatchObject({
        status: 'SUCCEEDED',
        output: 'mended',
        redriveCount: 1,
      });
      await failure(workflows.redrive(executionArn), 'Conflict');
    });
  });
}
