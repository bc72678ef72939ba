import { shot, type Shot } from './shot.ts';

const coop = {
  title: 'Annual report of the Millbeck Dairy Co-operative',
  text: `Millbeck Dairy Co-operative ended 2021 with revenue of $48.2 million, up from $44.9 million in 2020. Cheese made up 62% of sales. The co-operative has 318 member farms; each holds one vote whatever its size.`,
};
const margin = {
  title: 'Gross margin',
  text: `Gross margin is revenue minus the cost of goods sold, divided by revenue. A shop that sells goods for $500 that cost it $300 has a gross margin of 40%.`,
};
const currency = {
  title: 'Money in Orland',
  text: `Currency: Orland crown, divided into 100 pence
Central bank: Bank of Orland (founded 1923)
Main exports: timber, salmon, machine tools
Exchange rate: 7.41 crowns per US dollar (2022)`,
};

export const COMMERCE: readonly Shot[] = [
  shot(coop, 'financial analyst', 'What was the revenue of Millbeck Dairy Co-operative in 2021?', '$48.2 million', 'quantity', 'Millbeck Dairy Co-operative ended 2021 with revenue of $48.2 million, up from $44.9 million in 2020.', ['48.2 million US dollars']),
  shot(coop, 'co-operative member', 'How many member farms did Millbeck Dairy Co-operative have at the end of 2021?', '318', 'number', 'The co-operative has 318 member farms; each holds one vote whatever its size.'),
  shot(margin, 'shop owner', 'A shop sells goods for $500 that cost it $300. What is its gross margin in percent?', '40%', 'quantity', 'A shop that sells goods for $500 that cost it $300 has a gross margin of 40%.', ['40 percent']),
  shot(currency, 'importer', 'Which are the main exports of Orland?', 'timber; salmon; machine tools', 'list', 'Main exports: timber, salmon, machine tools'),
  shot(currency, 'economic historian', 'In what year was the Bank of Orland, the central bank of Orland, founded?', '1923', 'date', 'Central bank: Bank of Orland (founded 1923)'),
  shot(currency, 'foreign exchange trader', 'How many Orland crowns was one US dollar worth in 2022?', '7.41', 'number', 'Exchange rate: 7.41 crowns per US dollar (2022)', ['7.41 crowns']),
]; // prettier-ignore
