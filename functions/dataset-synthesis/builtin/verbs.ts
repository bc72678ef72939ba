import compromise from 'compromise/three';

const memo = new Map<string, string | undefined>();

/** The infinitive of a past-tense verb by compromise (`became` gives `become`), undefined where it knows none. */
export function infinitive(past: string): string | undefined {
  const verb = past.toLowerCase();
  if (!memo.has(verb)) {
    const view = compromise(verb);
    view.tag('PastTense');
    const found = view.verbs().toInfinitive().text().trim();
    memo.set(verb, /^[a-z-]+$/.test(found) && (found !== verb || SAME.has(verb)) ? found : undefined);
  }
  return memo.get(verb);
}

/** Verbs whose past is their infinitive. */
const SAME = new Set(['set', 'cut', 'put', 'hit', 'let', 'cost', 'split', 'spread', 'shut', 'cast', 'hurt']);
