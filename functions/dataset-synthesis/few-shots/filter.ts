import type { FilterOutput } from '../records.ts';

/** Worked examples of the filter role, written for this project. */
export const FILTER_EXAMPLES: readonly { title: string; text: string; output: FilterOutput }[] = [
  {
    title: 'Wenlow Lighthouse',
    text: `HOME | VISIT | SHOP
Wenlow Lighthouse stands on the northern tip of Wenlow Island. The tower was completed in 1867 , is 31 metres tall and
was painted in red and white bands so that ships could tell it from the older light at Carrow Head .
Opening hrs Apr-Sep`,
    output: {
      thought: 'Menu words surround real statements about a named tower: year, height and colours.',
      qualified: true,
      reason: 'ok',
    },
  },
  {
    title: 'Welcome',
    text: `Accept all cookies. Manage preferences. Sign in or create an account. Subscribe to our newsletter for the best
offers! Follow us. Terms of use. Privacy policy. All rights reserved.`,
    output: {
      thought: 'Only notices, links and advertising; nothing is stated about any subject.',
      qualified: false,
      reason: 'boilerplate',
    },
  },
];
