/**
 * Maximum-weight assignment of rows to distinct columns (Kuhn-Munkres with potentials, O(rows² · columns)).
 * @param weights rows × columns, columns ≥ rows; ties go to the smaller column.
 * @returns the column of each row.
 */
export function assign(weights: readonly (readonly number[])[]): number[] {
  const n = weights.length;
  const m = weights[0]?.length ?? 0;
  if (n === 0) return [];
  if (m < n)
    throw new RangeError(`assign() needs at least as many columns as rows: ${n} rows, ${m} columns.`);
  const u = new Float64Array(n + 1);
  const v = new Float64Array(m + 1);
  const rowOf = new Int32Array(m + 1);
  const way = new Int32Array(m + 1);
  for (let row = 1; row <= n; row++) {
    rowOf[0] = row;
    let column = 0;
    const least = new Float64Array(m + 1).fill(Infinity);
    const done = new Uint8Array(m + 1);
    do {
      done[column] = 1;
      const current = rowOf[column]!;
      let delta = Infinity;
      let next = 0;
      for (let j = 1; j <= m; j++) {
        if (done[j]) continue;
        const cost = -weights[current - 1]![j - 1]! - u[current]! - v[j]!;
        if (cost < least[j]!) {
          least[j] = cost;
          way[j] = column;
        }
        if (least[j]! < delta) {
          delta = least[j]!;
          next = j;
        }
      }
      for (let j = 0; j <= m; j++) {
        if (done[j]) {
          u[rowOf[j]!]! += delta;
          v[j]! -= delta;
        } else least[j]! -= delta;
      }
      column = next;
    } while (rowOf[column] !== 0);
    do {
      const previous = way[column]!;
      rowOf[column] = rowOf[previous]!;
      column = previous;
    } while (column !== 0);
  }
  const columns = new Array<number>(n).fill(-1);
  for (let j = 1; j <= m; j++) if (rowOf[j]! > 0) columns[rowOf[j]! - 1] = j - 1;
  return columns;
}
