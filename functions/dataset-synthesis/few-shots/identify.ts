import type { IdentifyOutput } from '../records.ts';

/** Worked examples of the identify role, written for this project. */
export const IDENTIFY_EXAMPLES: readonly { title: string; text: string; output: IdentifyOutput }[] = [
  {
    title: 'Why bread rises',
    text: `Yeast cells feed on the sugars that enzymes release from flour. They give off carbon dioxide, which gluten
traps as bubbles. Above about 60 °C the yeast dies and the crumb sets.`,
    output: {
      thought: 'The text explains a biological and chemical process behind baking.',
      domain: 'Natural Science',
      personas: ['home baker', 'biology student', 'food technologist'],
    },
  },
  {
    title: 'Fixed and variable costs',
    text: `A bakery pays 900 euros of rent a month whether it sells one loaf or a thousand. Flour costs 0.40 euros a loaf.
Rent is a fixed cost; flour is a variable cost.`,
    output: {
      thought: 'It teaches a distinction of cost accounting with a worked case.',
      domain: 'Commerce & Economics',
      personas: ['small business owner', 'accounting student'],
    },
  },
];
