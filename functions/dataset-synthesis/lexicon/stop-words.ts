/** Words of a question that its answer's sentence need not repeat: they ask, or name the kind of the answer. */
export const ASKING_WORDS: ReadonlySet<string> = new Set(
  `what which who whom whose when where why how name named term called call title year month date day century decade
  number many much amount value figure percentage percent share proportion portion long high tall wide deep large
  big far old fast heavy thick often total size length height depth width distance area cost costs price rate come
  comes does did do kind type sort person people place country city found estimate estimated approximately lie lies`.split(
    /\s+/,
  ),
);
