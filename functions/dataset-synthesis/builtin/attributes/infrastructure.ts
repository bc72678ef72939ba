import { at, type Attribute } from './attribute.ts';

/** Energy, communications, transport, space and defence of places. */

const KWH = String.raw`(?<a>(?!0 )# kWh)`;
const TONS = String.raw`(?<a>(?!0 |1 )# metric tons)`;
const GAS = String.raw`(?<a>(?!0 )# cubic meters)`;
const CAPACITY = '(?<a>#%) of total installed capacity';

export const INFRASTRUCTURE: readonly Attribute[] = [
  at('electricity access - electrification - total population', 'percent', 'What percentage of the total population of {s} had access to electricity in {y}?', { score: 1, group: 'access' }),
  at('electricity - installed generating capacity', '(?<a># kW)', 'What was the {est}installed electricity generating capacity of {s} in {y}?', { score: 3, group: 'capacity' }),
  at('electricity - (?<k>consumption)', KWH, 'What was the {est}electricity {k} of {s} in {y}?', { score: 2, group: 'electricity' }),
  at('electricity - (?<k>exports|imports)', KWH, 'What were the {est}electricity {k} of {s} in {y}?', { score: 2, group: 'electricity' }),
  at('electricity - transmission/distribution losses', KWH, 'What were the {est}electricity transmission and distribution losses of {s} in {y}?', { score: 2, group: 'losses' }),
  at('electricity generation sources - (?<k>fossil fuels|solar|wind|hydroelectricity|nuclear|geothermal|biomass and waste)', CAPACITY, 'What percentage of electricity generation in {s}, by share of total installed capacity, came from {k} in {y}?', { score: 2, group: 'sources' }),
  at('coal - (?<k>production|consumption)', TONS, 'What was the {est}coal {k} of {s} in {y}?', { score: 2, group: 'coal' }),
  at('coal - (?<k>exports|imports)', TONS, 'What were the {est}coal {k} of {s} in {y}?', { score: 2, group: 'coal' }),
  at('coal - proven reserves', TONS, 'How large were the {est}proven coal reserves of {s} in {y}?', { score: 2, group: 'coal-reserves' }),
  at('petroleum - total petroleum production', '(?<a>(?!0 )# bbl/day)', 'What was the {est}total petroleum production of {s} in {y}?', { score: 2, group: 'oil' }),
  at('petroleum - refined petroleum consumption', '(?<a>(?!0 )# bbl/day)', 'What was the {est}refined petroleum consumption of {s} in {y}?', { score: 2, group: 'refined' }),
  at('petroleum - crude oil estimated reserves', '(?<a>(?!0 )# barrels)', 'How large were the estimated crude oil reserves of {s} in {y}?', { score: 2, group: 'oil-reserves' }),
  at('natural gas - (?<k>production|consumption)', GAS, 'What was the {est}natural gas {k} of {s} in {y}?', { score: 2, group: 'gas' }),
  at('natural gas - (?<k>exports|imports)', GAS, 'What were the {est}natural gas {k} of {s} in {y}?', { score: 2, group: 'gas' }),
  at('natural gas - proven reserves', GAS, 'How large were the {est}proven natural gas reserves of {s} in {y}?', { score: 2, group: 'gas-reserves' }),
  at('energy consumption per capita - total energy consumption per capita', '(?<a># Btu)/person', 'What was the {est}total energy consumption per capita of {s} in {y}?', { score: 2 }),
  at('nuclear energy - number of operational nuclear reactors', '(?<a>\\d+)', 'How many operational nuclear reactors did {s} have in {y}?', { score: 3, group: 'nuclear' }),
  at('nuclear energy - percent of total electricity production', 'percent', 'What percentage of the total electricity production of {s} came from nuclear energy in {y}?', { score: 3, group: 'nuclear' }),
  at('nuclear energy - net capacity of operational nuclear reactors', '(?<a>#GW)', 'What was the {est}net capacity of operational nuclear reactors in {s} in {y}?', { score: 2, group: 'nuclear' }),

  at('telephones - fixed lines - total subscriptions', '(?<a>#)', 'How many fixed-line telephone subscriptions in total did {s} have in {y}?', { score: 2, group: 'fixed' }),
  at('telephones - fixed lines - subscriptions per 100 inhabitants', '(?<a>\\d+)', 'How many fixed-line telephone subscriptions per 100 inhabitants did {s} have in {y}?', { score: 2, group: 'fixed' }),
  at('telephones - mobile cellular - total subscriptions', '(?<a>#)', 'How many mobile cellular telephone subscriptions in total did {s} have in {y}?', { score: 2, group: 'mobile' }),
  at('telephones - mobile cellular - subscriptions per 100 inhabitants', '(?<a>\\d+)', 'How many mobile cellular telephone subscriptions per 100 inhabitants did {s} have in {y}?', { score: 2, group: 'mobile' }),
  at('internet country code', String.raw`(?<a>\.[a-z]{2})`, 'What is the Internet country code of {s}?', { score: 3 }),
  at('internet users - percent of population', 'percent', 'What percentage of the population of {s} were Internet users in {y}?', { score: 3 }),
  at('broadband - fixed subscriptions - total', '(?<a>#)', 'How many fixed broadband subscriptions in total did {s} have in {y}?', { score: 2, group: 'broadband' }),
  at('broadband - fixed subscriptions - subscriptions per 100 inhabitants', '(?<a>\\d+)', 'How many fixed broadband subscriptions per 100 inhabitants did {s} have in {y}?', { score: 2, group: 'broadband' }),

  at('airports', '(?<a>[\\d,]+)', 'How many airports did {s} have in {y}?', { score: 3 }),
  at('heliports', '(?<a>[\\d,]+)', 'How many heliports did {s} have in {y}?', { score: 2 }),
  at('civil aircraft registration country code prefix', '(?<a>[A-Z0-9]{1,4}(?:-[A-Z0-9]{1,4})?)', 'What is the civil aircraft registration country code prefix of {s}?', { score: 3 }),
  at('railways - total', '(?<a># km)', 'What was the total length of the railways of {s} in {y}?', { score: 3, tail: /^(?:[\d,.]+ km electrified)?$/ }),
  at('merchant marine - total', '(?<a>[\\d,]+)', 'What was the total number of ships in the merchant marine of {s} in {y}?', { score: 2 }),
  at('ports - total ports', '(?<a>[\\d,]+)', 'How many ports in total did {s} have in {y}?', { score: 2 }),

  at('space agency/agencies', String.raw`(?<n>\p{Lu}[\p{L}\p{M}'’& ]+?) \((?:[^();]*; )?established (?<a>\d{4})\)`, 'In what year was the {n}, the space agency of {s}, established?', { type: 'date', score: 3, tail: /^$/ }),
  at('military and security service personnel strengths', String.raw`approximately (?<a>\d[\d,]+) active(?:-duty)? (?<n>\p{Lu}[\p{L} ]+? (?:Forces|Force|Guard|Army))`, 'Approximately how many active members did the {n} of {s} have in {y}?', { score: 2 }),
]; // prettier-ignore
