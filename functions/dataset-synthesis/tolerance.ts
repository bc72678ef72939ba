/** When a job has gone too wrong to be called a success (specification sections 2 and 8). */

/** A sentence where more than `failedPercent` of the subjects failed (not: were rejected), else undefined. */
export function toleranceFault(
  what: string,
  counts: { failed: number; subjects: number },
  failedPercent: number,
): string | undefined {
  const { failed, subjects } = counts;
  if (failed * 100 <= failedPercent * subjects) return undefined;
  return `${failed} of ${subjects} ${what} failed, more than tolerance.failedPercent (${failedPercent} %) allows. rejects.jsonl says why; mend the cause and resume the job: what succeeded is not paid again.`;
}
