import { readFile } from 'node:fs/promises';
import { seededRng, type Rng } from '#shared/determinism/rng.ts';

/** Solved problems to build libraries from, and to hold back. */

export interface Problem {
  question: string;
  reasoning?: string;
  answer: string;
}

export async function readProblems(file: string): Promise<Problem[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => JSON.parse(line) as Problem);
}

const NAMES = 'Ada Bruno Chidi Dora Emil Farah Gita Hugo Ines Jonas Kemi Lena Milo Nora Omar Pia'.split(' ');
const THINGS = 'apples pens tiles cards cups lamps books seeds shells kites ropes bricks'.split(' ');
const PLACES = 'market fair shop school station library harbour farm'.split(' ');

type Template = (rng: Rng) => Problem;
const between = (rng: Rng, low: number, high: number): number => low + rng.below(high - low + 1);

const TEMPLATES: readonly Template[] = [
  (rng) => {
    const [who, thing, place] = [rng.pick(NAMES), rng.pick(THINGS), rng.pick(PLACES)];
    const [n, price, rent] = [between(rng, 5, 60), between(rng, 2, 20), between(rng, 1, 9)];
    const sales = n * price;
    return {
      question: `${who} sells ${n} ${thing} at the ${place} for $${price} each and pays $${rent} for the stall. How much profit does ${who} make?`,
      reasoning: `Sales are ${n}*${price}=<<${n}*${price}=${sales}>>${sales}. Profit is ${sales}-${rent}=<<${sales}-${rent}=${sales - rent}>>${sales - rent}.`,
      answer: String(sales - rent),
    };
  },
  (rng) => {
    const [who, thing] = [rng.pick(NAMES), rng.pick(THINGS)];
    const [boxes, each, gone] = [between(rng, 3, 20), between(rng, 4, 24), between(rng, 1, 11)];
    const all = boxes * each;
    return {
      question: `${who} has ${boxes} boxes with ${each} ${thing} in each box and gives away ${gone} ${thing}. How many ${thing} are left?`,
      reasoning: `There are ${boxes}*${each}=<<${boxes}*${each}=${all}>>${all} ${thing}. Left are ${all}-${gone}=<<${all}-${gone}=${all - gone}>>${all - gone}.`,
      answer: String(all - gone),
    };
  },
  (rng) => {
    const [hours, speed, more] = [between(rng, 2, 12), between(rng, 30, 90), between(rng, 5, 60)];
    const first = hours * speed;
    return {
      question: `A coach drives ${hours} hours at ${speed} miles an hour and then ${more} miles to the ${rng.pick(PLACES)}. How many miles does it drive?`,
      reasoning: `First it drives ${hours}*${speed}=<<${hours}*${speed}=${first}>>${first} miles. In all ${first}+${more}=<<${first}+${more}=${first + more}>>${first + more} miles.`,
      answer: String(first + more),
    };
  },
  (rng) => {
    const [people, each] = [between(rng, 2, 12), between(rng, 3, 40)];
    const [thing, place] = [rng.pick(THINGS), rng.pick(PLACES)];
    const total = people * each;
    return {
      question: `At the ${place} ${total} ${thing} are shared equally by ${people} children. How many ${thing} does each child get?`,
      reasoning: `Each gets ${total}/${people}=<<${total}/${people}=${each}>>${each} ${thing}.`,
      answer: String(each),
    };
  },
  (rng) => {
    const who = rng.pick(NAMES);
    const [days, pages, read] = [between(rng, 3, 14), between(rng, 8, 40), between(rng, 1, 60)];
    const later = days * pages;
    return {
      question: `${who} has read ${read} pages and reads ${pages} pages a day for ${days} days. How many pages has ${who} read then?`,
      reasoning: `In ${days} days these are ${days}*${pages}=<<${days}*${pages}=${later}>>${later} pages. In all ${read}+${later}=<<${read}+${later}=${read + later}>>${read + later}.`,
      answer: String(read + later),
    };
  },
];

/** Problems from templates of ours: more than any file has, much more alike than real ones. Another `part`, others. */
export function generated(count: number, part = 'problems'): Problem[] {
  const rng = seededRng('bench', `generated ${part}`);
  return Array.from({ length: count }, () => rng.pick(TEMPLATES)(rng));
}

/** The smaller of two nested sets of problems is the beginning of the larger. */
export interface Sets {
  /** A fifth of the file: no library is made of it, and nothing is tuned on it. */
  held: Problem[];
  /** The rest of the file, filled up with generated ones. */
  nested: Problem[];
  /** How many of `nested` are the file's. */
  fromFile: number;
  /** Generated problems that no library is made of, for libraries that have such. */
  heldGenerated: Problem[];
}

const HELD_GENERATED = 200;

/** Divides a file's problems, the same way every time, and fills them up to the largest size. */
export function setsOf(problems: readonly Problem[], largest: number): Sets {
  const all = seededRng('bench', 'split').shuffle(problems);
  const fifth = Math.floor(all.length / 5);
  const [held, rest] = [all.slice(0, fifth), all.slice(fifth)];
  const more = Math.max(0, largest - rest.length);
  return {
    held,
    nested: [...rest, ...generated(more)].slice(0, largest),
    fromFile: rest.length,
    heldGenerated: more > 0 ? generated(HELD_GENERATED, 'problems held back') : [],
  };
}
