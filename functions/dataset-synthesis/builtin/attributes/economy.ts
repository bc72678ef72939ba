import { at, type Attribute } from './attribute.ts';

/** Economy and trade of places. */

const MONEY = String.raw`(?<a>[-−]?\$[\d,.]+(?: (?:million|billion|trillion))?)`;
const PARTNER = String.raw`(?<n>\p{Lu}[\p{L}\p{M}.'’ -]{1,30}?) (?<a>\d+%)`;

export const ECONOMY: readonly Attribute[] = [
  at('real gdp \\(purchasing power parity\\)', MONEY, 'What was the {est}real GDP (purchasing power parity) of {s} in {y}?', { score: 3, group: 'gdp' }),
  at('gdp \\(official exchange rate\\)', MONEY, 'What was the {est}GDP of {s} at the official exchange rate in {y}?', { score: 3, group: 'gdp' }),
  at('real gdp growth rate', 'percent', 'What was the {est}real GDP growth rate of {s} in {y}?', { score: 3, group: 'growth' }),
  at('real gdp per capita', MONEY, 'What was the {est}real GDP per capita of {s} in {y}?', { score: 3, group: 'per-capita' }),
  at('inflation rate \\(consumer prices\\)', 'percent', 'What was the {est}inflation rate (consumer prices) of {s} in {y}?', { score: 3, group: 'inflation' }),
  at('gdp - composition, by sector of origin - (?<k>agriculture|industry|services)', 'percent', 'What percentage of the GDP of {s} came from the sector of {k} in {y}?', { score: 2, group: 'sectors' }),
  at('gdp - composition, by end use - (?<k>household consumption|government consumption|investment in fixed capital|exports of goods and services)', '(?<a>\\d+(?:\\.\\d+)?%)', 'By end use, what percentage of the GDP of {s} was {k} in {y}?', { score: 1, group: 'end-use' }),
  at('industrial production growth rate', 'percent', 'What was the {est}industrial production growth rate of {s} in {y}?', { score: 2 }),
  at('labor force', '(?<a>#)', 'How large was the {est}labor force of {s} in {y}?', { score: 2 }),
  at('unemployment rate', 'percent', 'What was the {est}unemployment rate of {s} in {y}?', { score: 3, group: 'unemployment' }),
  at('youth unemployment rate \\(ages 15-24\\) - total', 'percent', 'What was the {est}total youth unemployment rate (ages 15-24) of {s} in {y}?', { score: 2, group: 'youth' }),
  at('youth unemployment rate \\(ages 15-24\\) - (?<k>male|female)', 'percent', 'What was the {est}{k} youth unemployment rate (ages 15-24) of {s} in {y}?', { score: 2, group: 'youth' }),
  at('population below poverty line', 'percent', 'What percentage of the population of {s} was below the poverty line in {y}?', { score: 2 }),
  at('gini index coefficient - distribution of family income', '(?<a>#)', 'What was the {est}Gini index coefficient for the distribution of family income in {s} in {y}?', { score: 2 }),
  at('household income or consumption by percentage share - (?<k>lowest|highest) 10%', 'percent', 'What percentage share of household income or consumption in {s} did the {k} 10% have in {y}?', { score: 2, group: 'income' }),
  at('average household expenditures - on (?<k>food|alcohol and tobacco)', '(?<a>#%) of household expenditures', 'What percentage of average household expenditures in {s} was spent on {k} in {y}?', { score: 2, group: 'spending' }),
  at('remittances', '(?<a>(?!0%)#%) of GDP', 'What percentage of GDP did remittances make up in {s} in {y}?', { score: 2, group: 'remittances' }),
  at('budget - (?<k>revenues|expenditures)', MONEY, 'What were the {est}budget {k} of {s} in {y}?', { score: 2, group: 'budget' }),
  at('public debt', '(?<a>#%) of GDP', 'What was the {est}public debt of {s} as a percentage of GDP in {y}?', { score: 2 }),
  at('taxes and other revenues', '(?<a>#%) \\(of GDP\\)', 'What were the {est}taxes and other revenues of {s} as a percentage of GDP in {y}?', { score: 2 }),
  at('current account balance', MONEY, 'What was the {est}current account balance of {s} in {y}?', { score: 2, group: 'balance' }),
  at('(?<k>exports|imports)', MONEY, 'What was the {est}value of the {k} of {s} in {y}?', { score: 3, group: 'trade' }),
  at('(?<k>export|import)s - partners', String.raw`${PARTNER.replace('?<a>', '?<p>').replace('?<n>', '?<a>')}, (?:(?!\k<p>)[^,])+,.*`, 'Which country was the largest {k} partner of {s} in {y}?', { score: 3, group: 'partners' }),
  at('exports - partners', PARTNER, 'What percentage of the exports of {s} went to {partner} in {y}?', { split: ',', score: 2, group: 'partners' }),
  at('imports - partners', PARTNER, 'What percentage of the imports of {s} came from {partner} in {y}?', { split: ',', score: 2, group: 'partners' }),
  at('reserves of foreign exchange and gold', MONEY, 'What were the {est}reserves of foreign exchange and gold of {s} in {y}?', { score: 2, group: 'reserves' }),
  at('exchange rates', '(?<a>\\d[\\d,]*\\.\\d+)', 'What was the {est}exchange rate in {s}, in {currency}, in {y}?', { score: 2, group: 'exchange' }),
  at('debt - external|external debt', MONEY, 'What was the {est}external debt of {s} in {y}?', { score: 2 }),
  at('military expenditures', '(?<a>#%) of GDP', 'What were the {est}military expenditures of {s} as a percentage of GDP in {y}?', { score: 3, group: 'military' }),
]; // prettier-ignore
