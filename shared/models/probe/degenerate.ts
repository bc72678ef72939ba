/** Fewer words than this are too few to judge by their frequency. */
const LEAST_WORDS = 32;
const TAIL = 16;
const LONGEST_GRAM = 8;
const RUNS = 8;

/**
 * Why a text is what a broken model writes, if it is (model-inference section 13): one word makes up more than half
 * of 32 or more; the last 16 words are at most 2 different ones; a sequence of 1 to 8 words stands 8 times running.
 */
export function degeneracyOf(text: string): string | undefined {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  if (words.length >= LEAST_WORDS && Math.max(...counts.values()) > words.length / 2) {
    return 'one word makes up more than half of the text';
  }
  if (words.length >= TAIL && new Set(words.slice(-TAIL)).size <= 2) {
    return `the last ${TAIL} words are at most two different ones`;
  }
  for (let size = 1; size <= LONGEST_GRAM; size++) {
    // How many words in a row equal the word `size` places before.
    let same = 0;
    for (let at = size; at < words.length; at++) {
      same = words[at] === words[at - size] ? same + 1 : 0;
      if (same >= size * (RUNS - 1)) return `a sequence of ${size} words stands ${RUNS} times running`;
    }
  }
  return undefined;
}
