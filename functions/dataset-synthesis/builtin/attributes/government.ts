import { at, type Attribute } from './attribute.ts';

/** Government, offices and symbols of places. */

const PERSON = String.raw`\p{Lu}[\p{L}\p{M}'’.-]+(?: (?:de|da|do|dos|del|di|la|van|von|der|den|al|bin|\p{Lu}[\p{L}\p{M}'’.]*(?:-\p{Lu}\p{L}+)?\.?)){1,5}`;
const OFFICE = String.raw`(?:(?:Acting |Interim |Transitional )?(?:President|Prime Minister|King|Queen|Emperor|Sultan|Emir|Grand Duke|Prince|Chancellor|Governor(?:[- ]General)?|Premier|Taoiseach|Chief Minister|Captain Regent|Lieutenant Governor|Head of Government)(?: \([^)]*\))? )`;
const DATE = String.raw`\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December) \d{4}`;
const CAPS_NAME = String.raw`(?<a>(?=[^(]*\p{Lu}{2})${PERSON}|\p{Lu}{3,} [IVX]+)`;

export const GOVERNMENT: readonly Attribute[] = [
  at('country name - conventional long form', String.raw`(?<a>\p{Lu}[\p{L}\p{M}'’ -]{6,60})`, 'What is the conventional long form of the country name of {s}?', { score: 2, group: 'name' }),
  at('country name - local long form', String.raw`(?<a>\p{Lu}[\p{L}\p{M}'’ -]{6,60})`, 'What is the local long form of the country name of {s}?', { score: 2, group: 'name' }),
  at('country name - local short form', String.raw`(?<a>\p{Lu}[\p{L}\p{M}'’ -]{3,30})`, 'What is the local short form of the country name of {s}?', { score: 2, group: 'name' }),
  at('government type', String.raw`(?<a>(?:federal |parliamentary |presidential |semi-presidential |constitutional |unitary )+(?:republic|democracy|monarchy))`, 'What is the government type of {s}?', { score: 1 }),
  at('capital - name|capital', 'name', 'What is the capital of {s}?', { score: 2 }),
  at('independence', String.raw`(?<a>${DATE}) \(from (?<n>(?:the )?(?:\p{Lu}[\p{L}.]+)(?: (?:and|of|the|\p{Lu}\p{L}+)){0,4})\)`, 'On what date did {s} gain independence from {n}?', { type: 'date', score: 3 }),
  at('national holiday', String.raw`(?<n>\p{Lu}[\p{L}’']+(?: (?:of|the|\p{Lu}[\p{L}’']+)){0,4} Day|Independence Day|National Day|Republic Day|Constitution Day), (?<a>\d{1,2} \p{Lu}\p{L}+)(?: \(\d{4}\))?`, 'On what day of the year is {n}, the national holiday of {s}?', { type: 'date', score: 3 }),
  at('suffrage', String.raw`(?<a>\d{2} years) of age; universal(?: and compulsory)?`, 'What is the age of universal suffrage in {s}?', { score: 2 }),
  at('executive branch - chief of state', `${OFFICE}${CAPS_NAME} \\(since (?<since>${DATE})\\)(?:; .*)?`, 'Who has been the chief of state of {s} since {since}?', { score: 3, group: 'offices', capitals: true }),
  at('executive branch - head of government', `${OFFICE}${CAPS_NAME} \\(since (?<since>${DATE})\\)(?:; .*)?`, 'Who has been the head of government of {s} since {since}?', { score: 3, group: 'offices', capitals: true }),
  at('executive branch - (?<k>chief of state|head of government)', `${OFFICE}${CAPS_NAME.replace('?<a>', '?<n>')} \\(since (?<a>${DATE})\\)(?:; .*)?`, 'On what date did {n} become {k} of {s}?', { type: 'date', score: 3, group: 'offices', capitals: true }),
  at('diplomatic representation in the us - chief of mission', `Ambassador ${CAPS_NAME} \\(since (?<since>${DATE})\\)`, 'Who has been the chief of mission of {s} in the US, with the rank of ambassador, since {since}?', { score: 2, group: 'mission', capitals: true }),
  at('diplomatic representation from the us - chief of mission', `Ambassador ${CAPS_NAME} \\(since (?<since>${DATE})\\)`, 'Who has been the US chief of mission in {s}, with the rank of ambassador, since {since}?', { score: 2, group: 'mission', capitals: true }),
  at('legislative branch - legislature name', String.raw`(?<a>\p{Lu}[\p{L}\p{M}'’ -]{4,50})(?: \((?<alias>\p{Lu}[\p{L}\p{M}'’ -]{3,50})\))?`, 'What is the name of the legislature of {s}?', { score: 2, group: 'legislature' }),
  at('legislative branch - legislative structure', '(?<a>unicameral|bicameral)', 'What is the structure of the legislature of {s}, by number of chambers?', { group: 'legislature' }),
  at('legislative branch - number of seats', String.raw`(?<a>\d+)(?: \([^)]*\))?`, 'How many seats does the legislature of {s} have?', { score: 3, group: 'legislature' }),
  at('legislative branch - (?<k>lower|upper) chamber - number of seats', String.raw`(?<a>\d+)(?: \([^)]*\))?`, 'How many seats does the {k} chamber of the legislature of {s} have?', { score: 3, group: 'legislature' }),
  at('legislative branch - (?<k>lower|upper) chamber - chamber name', String.raw`(?<a>\p{Lu}[\p{L}\p{M}'’ -]{4,50})(?: \((?<alias>\p{Lu}[\p{L}\p{M}'’ -]{3,50})\))?`, 'What is the name of the {k} chamber of the legislature of {s}?', { score: 2, group: 'legislature' }),
  at('legislative branch - term in office', '(?<a>\\d years)', 'How long is the term in office of the legislature of {s}?', { score: 2, group: 'legislature' }),
  at('legislative branch - (?<k>lower|upper) chamber - term in office', '(?<a>\\d years)', 'How long is the term in office of the {k} chamber of the legislature of {s}?', { score: 2, group: 'legislature' }),
  at('citizenship - residency requirement for naturalization', '(?<a>\\d+ years)', 'How long is the residency requirement for naturalization in {s}?', { score: 2 }),
  at('national anthem\\(s\\) - title', String.raw`["“](?<a>[^"“”]{3,50})["”](?: \((?<alias>[^()]{3,50})\))?`, 'What is the title of the national anthem of {s}?', { score: 3, group: 'anthem' }),
  at('national anthem\\(s\\) - lyrics/music', `(?<a>${PERSON})/${PERSON}`, 'Who wrote the lyrics of the national anthem of {s}?', { score: 2, group: 'anthem', capitals: true }),
  at('national anthem\\(s\\) - lyrics/music', `${PERSON}/(?<a>${PERSON})`, 'Who composed the music of the national anthem of {s}?', { score: 2, group: 'anthem', capitals: true }),
  at('national color\\(s\\)', 'list', 'What are the national colors of {s}?', { type: 'list', score: 1 }),
  at('national symbol\\(s\\)', '(?<a>[a-z]+(?: [a-z]+){0,3})', 'What is the national symbol of {s}?', { score: 2 }),
  at('national heritage - total world heritage sites', String.raw`(?<a>\d+) \([^)]*\)`, 'How many World Heritage Sites does {s} have?', { score: 2 }),
  at('administrative divisions', String.raw`(?<a>\d+) (?<n>counties|provinces|departments|regions|municipalities|districts|parishes|cantons|states|prefectures|oblasts|voivodeships)(?: \([^)]*\))?[;*,] .*`, 'Into how many {n} is {s} divided administratively?', { score: 3, group: 'divisions' }),
]; // prettier-ignore
