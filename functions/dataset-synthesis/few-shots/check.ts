import type { CheckOutput } from '../records.ts';

/** One accepted pair and one for each way to fail, written for this project. */
export const CHECK_EXAMPLES: readonly {
  text: string;
  question: string;
  answer: string;
  output: CheckOutput;
}[] = [
  {
    text: `The Marrow Canal links Hesby with the coast. It was dug between 1791 and 1798 and is 42 km long; eleven locks
lift boats by 63 metres.`,
    question: 'How long, in kilometres, is the Marrow Canal that links Hesby with the coast?',
    answer: '42 km',
    output: {
      thought: 'The document gives this length once, and the question names the canal.',
      answerCorrect: true,
      leaksAnswer: false,
      hasContext: true,
    },
  },
  {
    text: `The Marrow Canal links Hesby with the coast. It was dug between 1791 and 1798 and is 42 km long; eleven locks
lift boats by 63 metres.`,
    question: 'In what year was the digging of the Marrow Canal finished?',
    answer: '1791',
    output: {
      thought: '1791 is when digging began; it ended in 1798.',
      answerCorrect: false,
      leaksAnswer: false,
      hasContext: true,
    },
  },
  {
    text: `Tolvane glass is coloured blue with cobalt oxide. Makers in Tolvane add it at two parts in a thousand.`,
    question: 'Which oxide of cobalt, cobalt oxide, do makers add to colour Tolvane glass blue?',
    answer: 'cobalt oxide',
    output: {
      thought: 'The document supports the answer, yet the question already spells it out.',
      answerCorrect: true,
      leaksAnswer: true,
      hasContext: true,
    },
  },
  {
    text: `Sister Amalie Rohr opened the school in 1904 with nineteen pupils. She led it until 1931.`,
    question: 'How many pupils did it have when she opened it in 1904?',
    answer: 'nineteen',
    output: {
      thought: 'The number is right, but neither the school nor its founder is named in the question.',
      answerCorrect: true,
      leaksAnswer: false,
      hasContext: false,
    },
  },
];
