/** Answers that follow from their question, remembered while the process lives: the latest of each owner. */

const MAX_ANSWERS = 500;

const kept = new WeakMap<object, Map<string, Promise<unknown>>>();

/** The remembered answer, or that of `work`; equal questions at the same time share one. Errors are not remembered. */
export async function answered<T>(
  owner: object,
  key: string,
  work: () => Promise<T>,
): Promise<{ value: T; cacheHit: boolean }> {
  let answers = kept.get(owner);
  if (!answers) kept.set(owner, (answers = new Map()));
  const known = answers.get(key) as Promise<T> | undefined;
  if (known) {
    // The latest used is last.
    answers.delete(key);
    answers.set(key, known);
    return { value: await known, cacheHit: true };
  }
  const work_ = work();
  answers.set(key, work_);
  const [oldest] = answers.keys();
  if (answers.size > MAX_ANSWERS) answers.delete(oldest!);
  try {
    return { value: await work_, cacheHit: false };
  } catch (error) {
    answers.delete(key);
    throw error;
  }
}
