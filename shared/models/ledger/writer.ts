import type { RecordItem } from '#shared/storage/ports.ts';
import type { GroupCommit } from '#shared/storage/group-commit.ts';
import { isError } from '#shared/task/errors.ts';
import type { LedgerRow } from '../types.ts';
import { IF_OPEN, rowOf, rowRecord } from './row.ts';

/** Writes ledger rows in group commits. */
export class LedgerWriter {
  readonly #commits: GroupCommit;
  readonly #shard: string;

  /** @param shard where rows without a lease go. */
  constructor(commits: GroupCommit, shard: string) {
    this.#commits = commits;
    this.#shard = shard;
  }

  /**
   * Writes a new row; resolves with its version when it is durable.
   * @param shard for a row without a lease that other processes may write too.
   */
  async write(row: LedgerRow, shard = this.#shard): Promise<number> {
    return (await this.#commits.put(rowRecord(row, shard))).version;
  }

  /**
   * Settles a row that is open, and no other: a sweep may have closed its lease and settled it as lapsed, a delivery
   * before this one may have settled it.
   * @param version of the open row, where this process wrote it.
   * @returns the row that stands: this one, or the one that was first.
   */
  async settle(row: LedgerRow, version?: number): Promise<LedgerRow> {
    const item = rowRecord(row, this.#shard);
    try {
      await this.#commits.put(item, version === undefined ? IF_OPEN : { ifVersion: version });
      return row;
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      const current = error.data.current as RecordItem | null;
      // Its writer died before the row was there.
      if (!current) return this.#first(row);
      const found = rowOf(current);
      return found.state === 'open' ? this.settle(row) : found;
    }
  }

  async #first(row: LedgerRow): Promise<LedgerRow> {
    try {
      await this.#commits.put(rowRecord(row, this.#shard), { ifAbsent: true });
      return row;
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      return this.settle(row);
    }
  }
}
