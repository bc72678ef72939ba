import { shot, type Shot } from './shot.ts';

const assembly = {
  title: 'Orland: Government',
  text: `Government type: parliamentary republic
Independence: 4 March 1919 (from the Empire of Vasten)
Legislature: Riksting, 148 seats; members serve four-year terms
Voting age: 16 (lowered from 18 in 2009)`,
};
const guild = {
  title: 'The weavers of Calder',
  text: `In 1482 the weavers of Calder formed a guild that set wages and trained apprentices for seven years. Margery Holt, a widow, was its only woman master. The guild was dissolved when the mills came in 1791.`,
};
const survey = {
  title: 'Who volunteers in Tamsin County',
  text: `A survey of 2,400 households in Tamsin County in 2018 found that 31% of adults had volunteered in the previous twelve months. The sociologist Ines Varga, who led it, found the highest share among people aged 65 to 74.`,
};

export const SOCIAL_SCIENCE: readonly Shot[] = [
  shot(assembly, 'political science student', 'How many seats does the Riksting, the legislature of Orland, have?', '148', 'number', 'Legislature: Riksting, 148 seats; members serve four-year terms'),
  shot(assembly, 'diplomat', 'On what date did Orland become independent from the Empire of Vasten?', '4 March 1919', 'date', 'Independence: 4 March 1919 (from the Empire of Vasten)'),
  shot(assembly, 'election observer', 'To what age did Orland lower its voting age in 2009?', '16', 'number', 'Voting age: 16 (lowered from 18 in 2009)', ['16 years', 'sixteen']),
  shot(guild, 'historian of labour', 'For how long did the weavers\' guild of Calder, formed in 1482, train its apprentices?', 'seven years', 'quantity', 'In 1482 the weavers of Calder formed a guild that set wages and trained apprentices for seven years.', ['7 years']),
  shot(guild, "women's history reader", 'Who was the only woman master of the weavers\' guild of Calder?', 'Margery Holt', 'name', 'Margery Holt, a widow, was its only woman master.'),
  shot(survey, 'charity manager', 'What percentage of adults in a 2018 survey of Tamsin County households had volunteered in the previous twelve months?', '31%', 'quantity', 'A survey of 2,400 households in Tamsin County in 2018 found that 31% of adults had volunteered in the previous twelve months.', ['31 percent']),
]; // prettier-ignore
