/** Words that carry no topic: articles, prepositions, pronouns, auxiliaries, conjunctions and common adverbs. */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about above after again against all almost also although always am among an and another any are around as at
  away be became because become becomes been before being below between both but by can cannot could did do does
  doing done down during each either else enough even ever every few first for from further get gets got had has
  have having he her here hers herself him himself his how however i if in into is it its itself just last least
  less like made make makes many may me might more most much must my myself near nearly neither never no nor not
  nothing now of off often on once one only onto or other others our ours ourselves out over own per perhaps quite
  rather really same second several shall she should since so some someone something sometimes soon still such
  than that the their theirs them themselves then there therefore these they third this those though through
  throughout thus to together too toward towards two under until up upon us use used uses using usually very was
  we well were what whatever when where whether which while who whole whom whose why will with within without
  would yet you your yours yourself yourselves s t`.split(/\s+/),
);
