import { at, type Attribute } from './attribute.ts';

/** Geography, environment and land use of places. */

const PEAK = String.raw`(?<n>\p{Lu}[\p{L}\p{M}'’. -]{1,40}?)(?: \((?<alias>\p{Lu}[\p{L}\p{M}'’. -]{2,40})\))? (?<h>-?#(?: m| ft))`;
const WITHDRAWN = '(?<a># cubic meters)';

export const LAND: readonly Attribute[] = [
  at('area - total|total area|area', 'quantity', 'What is the total area of {s}?', { score: 2 }),
  at('area - land|land area', 'quantity', 'What is the land area of {s}?', { score: 2, group: 'area' }),
  at('area - water|water area', '(?<a>(?!0 )# sq km)', 'How many square kilometres of the area of {s} are water?', { group: 'area' }),
  at('coastline|coastline length', '(?<a>(?!0 )# km)', 'How long is the coastline of {s}?', { score: 3 }),
  at('land boundaries - total', '(?<a>(?!0 )# km)', 'What is the total length of the land boundaries of {s}?', { score: 2, group: 'borders' }),
  at('land boundaries - border countries(?: \\(\\d+\\))?', String.raw`(?<n>\p{Lu}[\p{L}\p{M}'’ -]{2,30}?) (?<a># km)`, 'How long is the land border between {s} and {n}?', { split: ';', score: 3, group: 'borders' }),
  at('maritime claims - territorial sea', '(?<a># nm)', 'How wide is the territorial sea that {s} claims?', { group: 'sea' }),
  at('maritime claims - exclusive economic zone', '(?<a># nm)', 'How wide is the exclusive economic zone that {s} claims?', { group: 'sea' }),
  at('maritime claims - contiguous zone', '(?<a># nm)', 'How wide is the contiguous zone that {s} claims?', { group: 'sea' }),
  at('maritime claims - exclusive fishing zone', '(?<a># nm)', 'How wide is the exclusive fishing zone that {s} claims?', { group: 'sea' }),
  at('elevation - highest point|highest point', PEAK.replace('?<n>', '?<a>'), 'What is the highest point of {s}?', { score: 3, group: 'peak' }),
  at('elevation - highest point|highest point', PEAK.replace('?<h>', '?<a>'), 'What is the elevation of {n}, the highest point of {s}?', { score: 3, group: 'peak' }),
  at('elevation - lowest point|lowest point', PEAK.replace('?<n>', '?<a>'), 'What is the lowest point of {s}?', { score: 2, group: 'low' }),
  at('elevation - mean elevation|mean elevation', 'quantity', 'What is the mean elevation of {s}?', { score: 2 }),
  at('land use - agricultural land', 'percent', 'What percentage of the land of {s} was agricultural land in {y}?', { group: 'land-use' }),
  at('land use - agricultural land - (?<k>arable land|permanent pasture)', 'percent', 'What percentage of the land of {s} was {k} in {y}?', { group: 'land-use' }),
  at('land use - agricultural land - (?<k>permanent crops)', 'percent', 'What percentage of the land of {s} was under {k} in {y}?', { group: 'land-use' }),
  at('land use - forest', 'percent', 'What percentage of the land of {s} was forest in {y}?', { score: 2, group: 'land-use' }),
  at('irrigated land', 'quantity', 'How much irrigated land did {s} have in {y}?', { score: 2 }),
  at('major lakes \\(area sq km\\) - (?:fresh|salt) water lake\\(s\\)', String.raw`(?<n>(?:Lake |Lago |Laguna )?\p{Lu}[\p{L}\p{M}'’]{2,}(?: \p{Lu}[\p{L}\p{M}'’]+){0,2})(?: \(shared with [^)]*\))? [-–] (?<a># sq km)`, 'What is the area of {lake}, one of the major lakes of {s}?', { split: ';', score: 3, group: 'lakes' }),
  at('major rivers \\(by length in km\\)', String.raw`(?<n>\p{Lu}[\p{L}\p{M}'’]{2,}(?: \p{Lu}[\p{L}\p{M}'’]+){0,2})(?: river)?(?: (?:source|mouth))?(?: \(shared with [^)]*\))? [-–] (?<a># km)`, 'How long is the {n} river, one of the major rivers of {s}?', { split: ';', score: 3, group: 'rivers' }),
  at('natural resources', 'list', 'Which natural resources does {s} have?', { type: 'list', group: 'resources' }),

  at('carbon dioxide emissions - total emissions', '(?<a># metric tonnes)(?: of CO2)', 'What were the {est}total carbon dioxide emissions of {s} in {y}?', { score: 2, group: 'co2' }),
  at('carbon dioxide emissions - from (?<k>.+)', '(?<a>(?!0 )# metric tonnes)(?: of CO2)', 'What were the {est}carbon dioxide emissions of {s} from {k} in {y}?', { score: 2, group: 'co2' }),
  at('particulate matter emissions', '(?<a>#) micrograms per cubic meter', 'What was the level of particulate matter emissions in {s}, in micrograms per cubic meter, in {y}?', { score: 2 }),
  at('methane emissions - (?<k>energy|agriculture|waste)', '(?<a># kt)', 'What were the {est}methane emissions of {s} from {k} in {y}?', { score: 2, group: 'methane' }),
  at('waste and recycling - municipal solid waste generated annually', '(?<a># tons)', 'How much municipal solid waste was generated annually in {s} in {y}?', { score: 2, group: 'waste' }),
  at('waste and recycling - percent of municipal solid waste recycled', 'percent', 'What percentage of municipal solid waste was recycled in {s} in {y}?', { score: 2, group: 'waste' }),
  at('total water withdrawal - (?<k>municipal|industrial|agricultural)', WITHDRAWN, 'What was the {est}total {k} water withdrawal of {s} in {y}?', { score: 2, group: 'water' }),
  at('total renewable water resources', WITHDRAWN, 'What were the {est}total renewable water resources of {s} in {y}?', { score: 2 }),
]; // prettier-ignore
