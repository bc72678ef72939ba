import type { Records } from '#shared/storage/ports.ts';
import { aliasKey, callKey } from './records.ts';

const ATTEMPT_IN_KEY = /([0-9a-f]{32})-\d+\.[\w.]+$/;

/** The attempt that a notification is about: by our id, else by the object's key. */
export async function attemptOf(
  records: Records,
  news: { inferenceId?: string; key?: string },
): Promise<string | undefined> {
  const candidates = [news.inferenceId, ATTEMPT_IN_KEY.exec(news.key ?? '')?.[1]];
  for (const attemptId of candidates) {
    if (attemptId && /^[0-9a-f]{32}$/.test(attemptId) && (await records.get(callKey(attemptId))))
      return attemptId;
  }
  const alias = news.key ? await records.get(aliasKey(news.key)) : undefined;
  return typeof alias?.attributes.attemptId === 'string' ? alias.attributes.attemptId : undefined;
}
