import type { Artifacts } from '#shared/storage/ports.ts';
import { keysBelow, rowsOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import type { Draft, Reject } from '../records.ts';

/** What the shards of a round wrote, read in the order of their parts. */

export async function validDrafts(artifacts: Artifacts, jobId: string, round: number): Promise<Draft[]> {
  const keys = keysOf(jobId);
  const drafts: Draft[] = [];
  for (const { part } of await rowsOf<{ part: string }>(artifacts, keys.shards(round))) {
    drafts.push(...(await rowsOf<Draft>(artifacts, keys.valid(round, part))));
  }
  return drafts;
}

export async function acceptedDrafts(artifacts: Artifacts, jobId: string, rounds: number): Promise<Draft[]> {
  const drafts: Draft[] = [];
  for (let round = 0; round < rounds; round++)
    drafts.push(...(await rowsOf<Draft>(artifacts, keysOf(jobId).accepted(round))));
  return drafts;
}

export async function allRejects(artifacts: Artifacts, jobId: string, rounds: number): Promise<Reject[]> {
  const rejects: Reject[] = [];
  for (let round = 0; round < rounds; round++) {
    const prefix = keysOf(jobId)
      .rejects(round, '')
      .replace(/\.jsonl$/, '');
    for (const key of await keysBelow(artifacts, prefix))
      rejects.push(...(await rowsOf<Reject>(artifacts, key)));
  }
  return rejects;
}

/** Whether inference was ended by an error in some shard, and by which. */
export async function stoppedBy(artifacts: Artifacts, jobId: string, rounds: number): Promise<string[]> {
  const keys: string[] = [];
  for (let round = 0; round < rounds; round++) {
    keys.push(
      ...(await keysBelow(
        artifacts,
        keysOf(jobId)
          .stopped(round, '')
          .replace(/\.json$/, ''),
      )),
    );
  }
  return keys;
}
