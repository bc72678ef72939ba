/** One line of a benchmark's table. */
export interface Row {
  benchmark: string;
  measured: string;
  target: string;
  met: boolean;
}

export const printRows = (rows: readonly Row[]): void => console.table(rows);

/** The value below which a share of the numbers lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
