import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Queue, QueueMessage } from '#shared/storage/ports.ts';
import { failure } from './support.ts';

export interface QueuesUnderTest {
  /** A fresh queue; `deadLetter` is where messages go after two receives. */
  queue(): Promise<{ queue: Queue; deadLetter: Queue }>;
  close(): Promise<void>;
}

/** What every adapter of the queue port does (embedded-platform section 9). */
export function queueContract(adapter: string, make: () => Promise<QueuesUnderTest>): void {
  describe.concurrent(`queue: ${adapter}`, () => {
    let under: QueuesUnderTest;
    beforeAll(async () => {
      under = await make();
    });
    afterAll(() => under.close());

    /** Receives until `count` messages came, for at most half a minute. */
    async function drain(queue: Queue, count: number, visibilitySeconds = 30): Promise<QueueMessage[]> {
      const messages: QueueMessage[] = [];
      for (const until = Date.now() + 30_000; messages.length < count && Date.now() < until;) {
        messages.push(...(await queue.receive({ max: 10, waitSeconds: 1, visibilitySeconds })));
      }
      return messages;
    }

    it('sends, receives once, deletes', async () => {
      const { queue } = await under.queue();
      const bodies = ['one', '{"two":2}', 'жук ᚠ\n\t'];
      const { sent, failed } = await queue.send(bodies.map((body) => ({ body })));
      expect(failed).toEqual([]);
      expect(sent.map(({ index }) => index).toSorted()).toEqual([0, 1, 2]);
      expect(new Set(sent.map(({ messageId }) => messageId)).size).toBe(3);
      const messages = await drain(queue, 3);
      expect(messages.map(({ body }) => body).toSorted()).toEqual(bodies.toSorted());
      expect(messages.every(({ receiveCount }) => receiveCount === 1)).toBe(true);
      expect(await queue.receive({ max: 10 })).toEqual([]);
      for (const { receipt } of messages) await queue.delete(receipt);
    });

    it('takes at most max, one by default', async () => {
      const { queue } = await under.queue();
      await queue.send(Array.from({ length: 5 }, (_, n) => ({ body: String(n) })));
      expect(await queue.receive()).toHaveLength(1);
      expect((await queue.receive({ max: 3 })).length).toBeLessThanOrEqual(3);
    });

    it('a batch fails in part: what SQS cannot carry is reported, the rest is sent', async () => {
      const { queue } = await under.queue();
      const { sent, failed } = await queue.send([
        { body: 'good' },
        { body: 'bad\u0001' },
        { body: '' },
        { body: 'x\ud800' },
      ]);
      expect(sent.map(({ index }) => index)).toEqual([0]);
      expect(failed.map(({ index, code }) => [index, code])).toEqual(
        [1, 2, 3].map((index) => [index, 'InvalidMessageContents']),
      );
      expect((await drain(queue, 1)).map(({ body }) => body)).toEqual(['good']);
    });

    it('refuses bodies over 256 KiB and batches over ten, and carries ten large ones', async () => {
      const { queue } = await under.queue();
      await failure(queue.send([{ body: 'ok' }, { body: 'x'.repeat(262_145) }]), 'InvalidInput');
      await failure(queue.send([]), 'InvalidInput');
      await failure(queue.send(Array.from({ length: 11 }, () => ({ body: 'x' }))), 'InvalidInput');
      await failure(queue.send([{ body: 'x', delaySeconds: 901 }]), 'InvalidInput');
      await failure(queue.receive({ max: 11 }), 'InvalidInput');
      await failure(queue.receive({ waitSeconds: 21 }), 'InvalidInput');
      await failure(queue.receive({ visibilitySeconds: 43_201 }), 'InvalidInput');
      const large = Array.from({ length: 10 }, () => ({ body: 'y'.repeat(100_000) }));
      expect((await queue.send(large)).sent).toHaveLength(10);
      expect((await queue.send([{ body: 'z'.repeat(262_144) }])).sent).toHaveLength(1);
      expect(await drain(queue, 11)).toHaveLength(11);
    });

    it('delays', async () => {
      const { queue } = await under.queue();
      const sent = Date.now();
      await queue.send([{ body: 'later', delaySeconds: 1 }]);
      const early = await queue.receive();
      // A busy machine may have taken the second itself.
      if (Date.now() - sent < 900) expect(early).toEqual([]);
      expect([...early, ...(await drain(queue, 1 - early.length))]).toHaveLength(1);
    });

    it('comes again after its visibility time, with a higher count and a new receipt; stale receipts do nothing', async () => {
      const { queue } = await under.queue();
      await queue.send([{ body: 'again' }]);
      const received = Date.now();
      const [first] = await drain(queue, 1, 1);
      const early = await queue.receive({ visibilitySeconds: 30 });
      if (Date.now() - received < 900) expect(early).toEqual([]);
      const [second] = [...early, ...(await drain(queue, 1 - early.length))];
      expect(second).toMatchObject({ body: 'again', messageId: first!.messageId, receiveCount: 2 });
      expect(second!.receipt).not.toBe(first!.receipt);
      await queue.delete(second!.receipt);
      await queue.delete(second!.receipt);
      await queue.delete(first!.receipt);
      await failure(queue.changeVisibility(second!.receipt, 5), 'Conflict');
    });

    it('extends and ends visibility', async ({ skip }) => {
      const { queue } = await under.queue();
      await queue.send([{ body: 'slow' }]);
      const received = Date.now();
      const [message] = await drain(queue, 1, 1);
      await queue.changeVisibility(message!.receipt, 30).catch((error: unknown) => {
        // On a machine so busy that the second was over, there is nothing left to extend.
        if (Date.now() - received < 900) throw error;
        skip('too slow to extend anything');
      });
      await delay(1100);
      expect(await queue.receive()).toEqual([]);
      await queue.changeVisibility(message!.receipt, 0);
      expect((await drain(queue, 1))[0]).toMatchObject({ receiveCount: 2 });
      await failure(queue.changeVisibility(message!.receipt, 43_201), 'InvalidInput');
    });

    it('moves a message received twice to the dead-letter queue', async () => {
      const { queue, deadLetter } = await under.queue();
      await queue.send([{ body: 'poison' }]);
      for (let n = 1; n <= 2; n++) {
        const [message] = await drain(queue, 1, 0);
        expect(message).toMatchObject({ body: 'poison', receiveCount: n });
      }
      expect(await queue.receive({ visibilitySeconds: 0 })).toEqual([]);
      expect((await drain(deadLetter, 1)).map(({ body }) => body)).toEqual(['poison']);
    });

    it('a long poll waits for a message, and for nothing when aborted', async () => {
      const { queue } = await under.queue();
      const waiting = queue.receive({ waitSeconds: 10 });
      await delay(50);
      await queue.send([{ body: 'here' }]);
      expect((await waiting).map(({ body }) => body)).toEqual(['here']);

      const abort = new AbortController();
      const idle = queue.receive({ waitSeconds: 20, signal: abort.signal });
      await delay(50);
      abort.abort();
      expect(await idle).toEqual([]);
    });

    it('an empty poll returns after its wait', async () => {
      const { queue } = await under.queue();
      expect(await queue.receive({ waitSeconds: 1 })).toEqual([]);
    });
  });
}
