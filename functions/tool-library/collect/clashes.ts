import { TOOL_NAME } from '#shared/library/types.ts';

/** Names of a library are used once (section 3). */

export interface Named {
  id: string;
  name: string;
  /** Parameters, whose words tell tools of one name apart. */
  parameters: readonly string[];
  /** Names that mean something else in its code or calls already. */
  avoid?: ReadonlySet<string>;
}

/**
 * New names for tools whose name another has: in the order given (by id) the first keeps it, the next get a word of
 * their parameters that the name has not, then `_2`.
 * @returns new names by id; tools that keep theirs are not in it.
 */
export function resolveClashes(tools: readonly Named[]): Map<string, string> {
  const taken = new Map<string, Set<string>>();
  const own = new Set(tools.map(({ name }) => name));
  const renamed = new Map<string, string>();
  for (const { id, name, parameters, avoid } of tools) {
    const words = [
      ...new Set(
        parameters.flatMap((parameter) => parameter.split('_')).filter((word) => /[a-z]/.test(word)),
      ),
    ];
    const before = taken.get(name);
    if (!before) {
      taken.set(name, new Set(words));
      continue;
    }
    const inName = new Set(name.split('_'));
    const telling = words.filter((word) => !inName.has(word));
    // A word that none of the others has says most.
    const tries = [...telling.filter((word) => !before.has(word)), ...telling].map(
      (word) => `${name}_${word}`,
    );
    const free = (candidate: string): boolean =>
      TOOL_NAME.test(candidate) &&
      !taken.has(candidate) &&
      !own.has(candidate) &&
      avoid?.has(candidate) !== true;
    const next = tries.find(free) ?? numbered(name, free);
    taken.set(next, new Set(words));
    for (const word of words) before.add(word);
    renamed.set(id, next);
  }
  return renamed;
}

/** The first of `name_2`, `name_3`, … that is free. */
export function numbered(name: string, free: (candidate: string) => boolean): string {
  for (let n = 2; ; n++) {
    const candidate = `${name.slice(0, 63 - String(n).length)}_${n}`;
    if (free(candidate)) return candidate;
  }
}
