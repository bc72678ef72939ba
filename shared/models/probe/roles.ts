import { z } from 'zod';
import { defineRole, type Role } from '../role.ts';

/** The roles of `models test` and `models probe`; `builtin` plays them too. */

/** A sum whose answer is bound by a schema. */
export const sumRole = defineRole({
  name: 'models/sum',
  version: '1',
  input: z.object({ a: z.int(), b: z.int() }),
  output: z.strictObject({ sum: z.int() }),
  params: { temperature: 0, maxOutputTokens: 512 },
  render: ({ a, b }) => [
    {
      role: 'user',
      content: `Add ${a} and ${b}. Answer with one JSON object of the form {"sum": <integer>} and nothing else.`,
    },
  ],
  builtin: ({ a, b }) => ({ sum: a + b }),
});

const ONES =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = ['', '', 'twenty', 'thirty', 'forty'];

/** A number from 1 to 49 in words. */
const inWords = (value: number): string =>
  value < 20
    ? ONES[value - 1]!
    : [TENS[Math.floor(value / 10)]!, ONES[(value % 10) - 1]].filter(Boolean).join('-');

/** Counting in words: long enough to show a model that repeats itself. */
export const countRole = defineRole({
  name: 'models/count',
  version: '1',
  input: z.object({ to: z.int().min(1).max(49) }),
  output: z.string(),
  params: { temperature: 0, maxOutputTokens: 512 },
  render: ({ to }) => [
    {
      role: 'user',
      content: `Count from one to ${inWords(to)} in English words, separated by single spaces. Write the words and nothing else.`,
    },
  ],
  builtin: ({ to }) => Array.from({ length: to }, (_, index) => inWords(index + 1)).join(' '),
});

const ROLES = new Map<string, Role>([sumRole, countRole].map((role) => [role.name, role as unknown as Role]));

export const probeRoleOf = async (name: string): Promise<Role | undefined> => ROLES.get(name);
