import { parentPort } from 'node:worker_threads';
import { extractPage, type ExtractedPage } from './extract.ts';

/** The thread in which pages are read: it can be ended when one takes too long or too much memory. */

export interface ExtractJob {
  id: number;
  html: string;
}

/** `ready` comes first: loading is not the page's time. */
export type ExtractReply = { ready: true } | ({ id: number } & ({ page: ExtractedPage } | { error: string }));

parentPort?.on('message', ({ id, html }: ExtractJob) => {
  let reply: ExtractReply;
  try {
    reply = { id, page: extractPage(html) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read' };
  }
  parentPort!.postMessage(reply);
});
parentPort?.postMessage({ ready: true } satisfies ExtractReply);
