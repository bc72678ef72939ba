import { indexRows } from './deep-research/index-and-search.ts';
import { printRows } from './deep-research/rows.ts';
import { stepRows } from './deep-research/steps.ts';

/** The benchmarks of deep-research section 12. */
export default async function main(args: string[]): Promise<void> {
  const only = new Set(args);
  const wanted = (name: string): boolean => only.size === 0 || only.has(name);
  if (wanted('steps')) printRows(await stepRows());
  if (wanted('index')) printRows(await indexRows());
}
