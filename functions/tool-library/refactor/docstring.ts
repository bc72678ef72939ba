import type { Docstring } from '../analysis/docstring.ts';
import type { Skeleton, SourceWords } from './forms.ts';
import { formulaOf } from './formula.ts';
import type { Generalisation, Variable } from './generalise.ts';
import { isGeneric, listed, spoken, tokensOf } from './words.ts';

/** What a merged function says of itself (step 10): for search, and for solvers that never saw its sources. */

const MAX_SUBJECTS = 24;
/** Sources' names for a parameter, their words for it, and the most characters of each. */
const MAX_CALLED = 6;
const MAX_PHRASES = 6;
const MAX_PHRASE = 60;

/** One sentence with the subjects of the sources, and what each parameter was called by them. */
export function docstringFor(
  merged: Generalisation,
  parameters: readonly string[],
  common: readonly string[],
  required: readonly string[],
): string {
  const formula = formulaOf(merged, parameters);
  const from = required.length > 0 ? ` from ${spoken(required.map(spaced), 'and')}` : '';
  const what = `${common.join(' ')}${from}`;
  const subjects = subjectsOf(merged.skeletons, new Set(common));
  const covers = subjects.length > 0 ? `, for ${spoken(subjects, 'and')}` : '';
  const lines = merged.variables.map((variable, index) => {
    const own = spaced(parameters[index]!);
    const called = calledBy(variable, merged.skeletons, own);
    const phrases = phrasesOf(variable, merged.skeletons);
    const asIn = phrases.length > 0 ? `${AS_IN}"${phrases.join('", "')}"` : '';
    return `    ${parameters[index]!}: ${spoken(called.length > 0 ? called : [own], 'or')}${asIn}.`;
  });
  const args = lines.length > 0 ? `\n\nArgs:\n${lines.join('\n')}` : '';
  const gives = formula === undefined ? '' : ` Gives ${formula}.`;
  return `${what.slice(0, 1).toUpperCase()}${what.slice(1)}${covers}.${gives}${args}`;
}

const AS_IN = '; as in ';
const spaced = (name: string): string => name.replaceAll('_', ' ');

/** The same read back from the docstring of a function that was merged in an earlier version. */
export function sourceWords({ summary, parameters }: Docstring): SourceWords {
  const subjects = /, for ([^.]+)\./.exec(summary)?.[1] ?? '';
  return {
    subjects: listed(subjects, 'and'),
    parameters: new Map(
      [...parameters].map(([name, line]) => {
        const [called = '', phrases = ''] = line.replace(/\.$/, '').split(AS_IN);
        const quoted = [...phrases.matchAll(/"([^"]+)"/g)].map(([, phrase]) => phrase!);
        return [name, { called: listed(called, 'or'), phrases: quoted }];
      }),
    ),
  };
}

/** What the sources are about: what merged ones were about is kept whole, of the others the first so many. */
function subjectsOf(skeletons: readonly Skeleton[], shared: ReadonlySet<string>): string[] {
  return keeping(
    skeletons.map(({ name, words }) => {
      if (words && words.subjects.length > 0) return { kept: words.subjects, more: [] };
      return { kept: [], more: [subjectOf(tokensOf(name).filter((token) => !shared.has(token)))] };
    }),
    MAX_SUBJECTS,
  );
}

/** What a name is about: its nouns, else all its words. */
const subjectOf = (tokens: readonly string[]): string => {
  const nouns = tokens.filter((token) => !isGeneric(token));
  return (nouns.length > 0 ? nouns : tokens).join(' ');
};

/** Other names that sources have for a variable. */
const calledBy = (variable: Variable, skeletons: readonly Skeleton[], own: string): string[] =>
  keeping(
    parametersIn(variable, skeletons).map(({ name, words }) => ({
      kept: words?.called ?? [],
      more: words ? [] : [spaced(name)],
    })),
    MAX_CALLED,
    own,
  );

/** How sources describe a variable: the words it is recognised by in a question, by solvers and by search. */
const phrasesOf = (variable: Variable, skeletons: readonly Skeleton[]): string[] =>
  keeping(
    parametersIn(variable, skeletons).map(({ description, words }) => ({
      kept: words?.phrases ?? [],
      more: words ? [] : [phraseOf(description)],
    })),
    MAX_PHRASES,
  );

function phraseOf(description = ''): string {
  const line = description.replace(/[\s"]+/g, ' ').trim();
  return line.length <= MAX_PHRASE ? line : line.slice(0, MAX_PHRASE).replace(/\s\S*$/, '');
}

/** The sources' parameters that a variable stands for. */
const parametersIn = ({ column }: Variable, skeletons: readonly Skeleton[]) =>
  column.flatMap((leaf, tool) => {
    if (leaf.kind !== 'parameter') return [];
    const { parameters, words } = skeletons[tool]!;
    const description = parameters.find(({ name }) => name === leaf.name)?.description;
    return [{ name: leaf.name, description, words: words?.parameters.get(leaf.name) }];
  });

/** Each word once, what is to be kept first; of the rest so many. */
function keeping(sources: readonly { kept: string[]; more: string[] }[], most: number, but = ''): string[] {
  const wanted = (word: string): boolean => word !== '' && word !== but;
  const kept = new Set(sources.flatMap((source) => source.kept).filter(wanted));
  const more = new Set(
    sources.flatMap((source) => source.more).filter((word) => wanted(word) && !kept.has(word)),
  );
  return [...kept, ...[...more].slice(0, most)];
}
