import type { Attribute } from './attribute.ts';
import { ECONOMY } from './economy.ts';
import { GOVERNMENT } from './government.ts';
import { INFRASTRUCTURE } from './infrastructure.ts';
import { LAND } from './land.ts';
import { PEOPLE } from './people.ts';

export type { Attribute } from './attribute.ts';

/** Keys that profiles of places commonly have, and the English question each answers. Other keys: generic.ts. */
export const ATTRIBUTES: readonly Attribute[] = [
  ...LAND,
  ...PEOPLE,
  ...GOVERNMENT,
  ...ECONOMY,
  ...INFRASTRUCTURE,
];
