import type { ConditionalPut, RecordItem } from '#shared/storage/ports.ts';
import type { GroupCommit } from '#shared/storage/group-commit.ts';
import { isError, type AgentmillError } from '#shared/task/errors.ts';
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
   * @param version of the open row, where this process wrote it; null where there is none: a new row.
   * @param first written before it, in the same commit where the store can.
   * @returns the row that stands: this one, or the one that was first; and why `first` was refused, if it was.
   */
  async settleAfter(
    first: ConditionalPut | undefined,
    row: LedgerRow,
    version: number | null,
  ): Promise<{ row: LedgerRow; refused?: AgentmillError }> {
    const options = version === null ? {} : { ifVersion: version };
    const outcomes = await this.#commits.putInOrder([
      ...(first ? [first] : []),
      { item: rowRecord(row, this.#shard), options },
    ]);
    const before = first && outcomes[0]!;
    const own = outcomes.at(-1)!;
    if (before?.status === 'rejected' && !isError(before.reason, 'Conflict')) throw before.reason;
    const refused = before?.status === 'rejected' ? { refused: before.reason as AgentmillError } : {};
    return { row: own.status === 'fulfilled' ? row : await this.#standing(row, own.reason), ...refused };
  }

  /** The same for a row that another process may have written. */
  async settle(row: LedgerRow, version?: number): Promise<LedgerRow> {
    try {
      const options = version === undefined ? IF_OPEN : { ifVersion: version };
      await this.#commits.put(rowRecord(row, this.#shard), options);
      return row;
    } catch (error) {
      return this.#standing(row, error);
    }
  }

  async #standing(row: LedgerRow, error: unknown): Promise<LedgerRow> {
    if (!isError(error, 'Conflict')) throw error;
    const current = error.data.current as RecordItem | null;
    // Its writer died before the row was there.
    if (!current) return this.#first(row);
    const found = rowOf(current);
    return found.state === 'open' ? this.settle(row) : found;
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
