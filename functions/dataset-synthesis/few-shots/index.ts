import { seededRng } from '#shared/determinism/rng.ts';
import type { Domain, GenerateExample } from '../records.ts';
import { CODING } from './coding.ts';
import { COMMERCE } from './commerce.ts';
import { EDUCATION } from './education.ts';
import { MATHS } from './maths.ts';
import { MEDICINE } from './medicine.ts';
import { NATURAL_SCIENCE } from './natural-science.ts';
import { OTHER } from './other.ts';
import { SOCIAL_SCIENCE } from './social-science.ts';
import { TECHNOLOGY } from './technology.ts';
import { TRAVEL } from './travel.ts';
import type { Shot } from './shot.ts';

export { CHECK_EXAMPLES } from './check.ts';
export { FILTER_EXAMPLES } from './filter.ts';
export { IDENTIFY_EXAMPLES } from './identify.ts';

const byDomain: Readonly<Record<Domain, readonly Shot[]>> = {
  Math: MATHS,
  'Technology & Engineering': TECHNOLOGY,
  Coding: CODING,
  'Social Science': SOCIAL_SCIENCE,
  'Natural Science': NATURAL_SCIENCE,
  'Travel & Lifestyle': TRAVEL,
  'Commerce & Economics': COMMERCE,
  'Medicine & Health': MEDICINE,
  Education: EDUCATION,
  Other: OTHER,
};

/** All worked examples of the generate role: six a domain. */
export const GENERATE_EXAMPLES = Object.fromEntries(
  Object.entries(byDomain).map(([domain, shots]) => [domain, shots.map((shot) => ({ ...shot, domain }))]),
) as unknown as Readonly<Record<Domain, readonly GenerateExample[]>>;

/**
 * The examples that variant `variant` of a domain shows: a seeded draw of `count` (0..6) without replacement. Equal
 * arguments give equal examples in equal order, so requests of one variant share their prefix.
 */
export function examplesFor(domain: Domain, variant: number, count: number, seed: number): GenerateExample[] {
  return seededRng(seed, 'few-shot', domain, variant).shuffle(GENERATE_EXAMPLES[domain]).slice(0, count);
}
