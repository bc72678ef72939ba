/**
 * Prompts number tools from 1, models answer with numbers: the one place where they become ids again.
 * @returns ids in the order of first mention; `unknown` are numbers that are no tool's, `repeated` those named again.
 */
export function toolsAt(
  indices: readonly number[],
  ids: readonly string[],
): { ids: string[]; unknown: number[]; repeated: number[] } {
  const found = new Set<string>();
  const unknown: number[] = [];
  const repeated: number[] = [];
  for (const index of indices) {
    const id = Number.isInteger(index) ? ids[index - 1] : undefined;
    if (id === undefined) unknown.push(index);
    else if (found.has(id)) repeated.push(index);
    else found.add(id);
  }
  return { ids: [...found], unknown, repeated };
}
