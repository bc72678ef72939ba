import type { Rng } from '#shared/determinism/rng.ts';
import { stem, wordsOf } from '#shared/text/stem.ts';
import { GENERATE_EXAMPLES } from '../few-shots/index.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';
import { CENTROID_TERMS, PERSONAS } from '../lexicon/index.ts';
import { DOMAINS, type Domain, type IdentifyInput, type IdentifyOutput } from '../records.ts';

/** The builtin identify (specification section 6): nearest of ten centroids by TF-IDF cosine. */

/** Below this cosine no domain is near enough. */
export const OTHER_BELOW = 0.05;
/** A word of the title counts as this many of the text. */
const TITLE_WEIGHT = 3;
/** A lexicon term against a word of an example text. */
const TERM_WEIGHT = 1;
const EXAMPLE_WEIGHT = 0.1;

type Vector = Map<string, number>;

function counts(text: string, weight: number, into: Vector): Vector {
  for (const { key } of wordsOf(text)) {
    const word = key.replace(/'s?$/, '');
    if (word.length < 3 || STOP_WORDS.has(word) || /\d/.test(word)) continue;
    const root = stem(word);
    into.set(root, (into.get(root) ?? 0) + weight);
  }
  return into;
}

const norm = (vector: Vector): number =>
  Math.sqrt([...vector.values()].reduce((sum, value) => sum + value * value, 0));

function build(): { idf: Vector; centroids: Map<Domain, Vector> } {
  const raw = new Map<Domain, Vector>();
  for (const domain of DOMAINS) {
    const vector: Vector = new Map();
    for (const term of CENTROID_TERMS[domain]) vector.set(stem(term), TERM_WEIGHT);
    for (const example of GENERATE_EXAMPLES[domain])
      counts(`${example.title ?? ''} ${example.text}`, EXAMPLE_WEIGHT, vector);
    raw.set(domain, vector);
  }
  const idf: Vector = new Map();
  for (const vector of raw.values())
    for (const root of vector.keys()) idf.set(root, (idf.get(root) ?? 0) + 1);
  for (const [root, df] of idf) idf.set(root, Math.log((1 + DOMAINS.length) / df));
  const centroids = new Map<Domain, Vector>();
  for (const [domain, vector] of raw) {
    const weighted: Vector = new Map(
      [...vector].map(([root, value]) => [root, Math.min(value, 1.5) * idf.get(root)!]),
    );
    const length = norm(weighted) || 1;
    centroids.set(domain, new Map([...weighted].map(([root, value]) => [root, value / length])));
  }
  return { idf, centroids };
}

let built: ReturnType<typeof build> | undefined;

/** Cosine of a text to each domain, best first; equal scores keep the order of DOMAINS. */
export function domainScores(title: string | undefined, text: string): { domain: Domain; score: number }[] {
  built ??= build();
  const { idf, centroids } = built;
  const found = counts(title ?? '', TITLE_WEIGHT, counts(text, 1, new Map()));
  // Words outside the lexicon say nothing about domains; they only dilute.
  const vector: Vector = new Map();
  for (const [root, count] of found) {
    const weight = idf.get(root);
    if (weight !== undefined) vector.set(root, (1 + Math.log(count)) * weight);
  }
  const length = norm(vector) || 1;
  return DOMAINS.map((domain) => {
    const centroid = centroids.get(domain)!;
    let dot = 0;
    for (const [root, value] of vector) dot += value * (centroid.get(root) ?? 0);
    return { domain, score: dot / length };
  }).sort((a, b) => b.score - a.score);
}

export function identify(input: IdentifyInput, rng: Rng): IdentifyOutput {
  const listed = new Set(input.domains);
  const best = domainScores(input.title, input.text).find(({ domain }) => listed.has(domain));
  const domain: Domain = !best || best.score < OTHER_BELOW ? 'Other' : best.domain;
  const found = counts(input.title ?? '', 1, counts(input.text, 1, new Map()));
  const ranked = rng
    .shuffle(PERSONAS[domain])
    .map((persona) => ({
      name: persona.name,
      score: persona.triggers.reduce((sum, word) => sum + Math.min(3, found.get(stem(word)) ?? 0), 0),
    }))
    .sort((a, b) => b.score - a.score);
  return {
    thought: `Nearest domain by its words: ${domain}${best ? ` (cosine ${best.score.toFixed(2)})` : ''}.`,
    domain,
    personas: ranked.slice(0, input.maxPersonas).map((persona) => persona.name),
  };
}
