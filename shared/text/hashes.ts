/** Fast non-cryptographic hashes of text, for sketches and indexes only; identities use SHA-256. */

/** The 32-bit finaliser of MurmurHash3: every input bit changes every output bit with probability near one half. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The odd base of polynomial hashes. */
const BASE = 0x01000193;

/** A 32-bit hash of a text's UTF-16 units: a polynomial in an odd base, finalised. */
export function hash32(text: string, seed = 0x9e3779b9): number {
  let h = seed | 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, BASE) + text.charCodeAt(i)) | 0;
  return mix32(h ^ text.length);
}

/** The finalised 32-bit hashes of all n-unit substrings of a text; the whole text's where it is shorter. */
export function charGramHashes(text: string, n: number): Uint32Array {
  const width = Math.min(n, text.length);
  const out = new Uint32Array(width === 0 ? 0 : text.length - width + 1);
  if (width === 0) return out;
  let h = 0;
  // BASE ** width: what the unit that leaves the window weighs after the next step.
  let weight = 1;
  for (let i = 0; i < width; i++) {
    h = (Math.imul(h, BASE) + text.charCodeAt(i)) | 0;
    weight = Math.imul(weight, BASE);
  }
  out[0] = mix32(h);
  for (let i = 1; i < out.length; i++) {
    const leaving = Math.imul(text.charCodeAt(i - 1), weight);
    h = (Math.imul(h, BASE) + text.charCodeAt(i + width - 1) - leaving) | 0;
    out[i] = mix32(h);
  }
  return out;
}

/** The finalised 32-bit hashes of all n-word windows; the whole list's where it is shorter. */
export function wordGramHashes(words: readonly string[], n: number): Uint32Array {
  const hashes = words.map((word) => hash32(word));
  const width = Math.min(n, words.length);
  const total = words.length === 0 ? 0 : words.length - width + 1;
  const out = new Uint32Array(total);
  for (let i = 0; i < total; i++) {
    let h = 0;
    for (let k = 0; k < width; k++) h = (Math.imul(h, BASE) + hashes[i + k]!) | 0;
    out[i] = mix32(h);
  }
  return out;
}

/** The distinct n-unit substrings of a text (itself where it is shorter); empty for an empty text. */
export function charGrams(text: string, n: number): Set<string> {
  const grams = new Set<string>();
  if (text.length > 0 && text.length < n) grams.add(text);
  for (let i = 0; i + n <= text.length; i++) grams.add(text.slice(i, i + n));
  return grams;
}

/** Exact Jaccard similarity of two sets; two empty ones are alike (1). */
export function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  if (large.size === 0) return 1;
  let shared = 0;
  for (const gram of small) if (large.has(gram)) shared++;
  return shared / (a.size + b.size - shared);
}
