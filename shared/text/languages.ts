/** Words that are frequent in English and are no frequent words of its neighbours (not `in`, `is` or `was`). */
const ENGLISH = new Set(
  'the of and to that for with as by on from are which it its this were an be has have had or their at not but also been other than between more'.split(
    ' ',
  ),
);

/**
 * The language of undeclared text: `en` where at least 6 % of the first 400 words (and three different ones) are
 * English function words, else `und`. Meant for gates that may be wrong about rare texts, not for linguistics.
 */
export function guessLanguage(text: string): 'en' | 'und' {
  const words =
    text
      .slice(0, 6000)
      .toLowerCase()
      .match(/\p{L}+/gu)
      ?.slice(0, 400) ?? [];
  const seen = new Set<string>();
  let hits = 0;
  for (const word of words) {
    if (!ENGLISH.has(word)) continue;
    hits++;
    seen.add(word);
  }
  return seen.size >= 3 && hits >= words.length * 0.06 ? 'en' : 'und';
}

/** The primary subtag of a BCP 47 tag in lower case (`en-GB` and `EN_us` are `en`); undefined for no tag. */
export function primaryLanguage(tag: string): string | undefined {
  return /^\s*([A-Za-z]{2,8})(?:[-_]|\s*$)/.exec(tag)?.[1]?.toLowerCase();
}
