/** What a document is about, by its title. */

export interface Subject {
  /** As it stands inside a sentence: `the United States`, `Albania`. */
  name: string;
  /** Without article: what sentences of the text may call it. */
  bare: string;
  /** Last word, lower case, where it is a common noun (`bridge` of `Pebble Bridge`). */
  head: string | undefined;
}

const LABEL =
  /^(?:[\p{L}-]+ ){0,3}(?:profile|facts?|fact ?sheet|data ?sheet|factfile|overview|summary|reference|glance|information|statistics|introduction|about)$/iu;

/** Last words that take an article: plural and descriptive names. */
const ARTICLE_HEAD =
  /^(?:islands|isles|states|kingdom|union|republic|federation|emirates|netherlands|philippines|maldives|bahamas|gambia|territory|territories|ocean|sea|river|strait|channel|canal|gulf|mountains|alps|pyrenees|andes|desert|peninsula|bridge|tower|museum|cathedral|dam|tunnel|lighthouse|aqueduct|viaduct|observatory|telescope|library|university|railway|line|way|trail|war|act|treaty|code|prize|conference|congress|olympics|games|declaration|euro|wall|gate|palace|see)$/i;
const NO_ARTICLE =
  /^(?:lake|mount|cape|fort|port|saint|st\.?|loch|san|santa)\b|\b(?:college|street|road|square|park|castle|abbey|hall|house)$/i;
/** Names whose article is theirs although the head alone would not say so. */
const WITH_ARTICLE =
  /^(?:isle of|czech republic|dominican republic|united |british |holy see|danube|thames|severn|rhine|nile|amazon|sahara|eiffel|colosseum|parthenon|louvre|great |forth )/i;

const COMMON_HEAD =
  /^(?:bridge|tower|museum|cathedral|church|castle|palace|canal|river|lake|mountain|island|islands|dam|tunnel|lighthouse|railway|school|university|college|library|garden|park|trail|way|town|city|village|telescope|observatory|engine|battery|planet|moon|element|metal|bird|plant|tree|abbey|viaduct|aqueduct|theatre|station|harbour|ocean|sea|desert|treaty|company|society|festival|path|wall)$/i;

/** Whether a text mostly puts an article before a name; "the Kosovo Force" is another name. */
function articled(bare: string, body: string): boolean {
  // One word alone is a name without article, whatever stands behind it ("the Svalbard archipelago").
  if (!bare.includes(' ')) return false;
  const name = bare.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const all = body.match(new RegExp(`(?<!\\p{L})${name}(?!\\p{L})`, 'gu'))?.length ?? 0;
  const withArticle = body.match(new RegExp(`\\b[Tt]he ${name}(?=[,.;]| \\p{Ll})`, 'gu'))?.length ?? 0;
  return withArticle > 0 && withArticle * 2 >= all;
}

/**
 * The subject a title names, else undefined: `Albania: Geography` and `Country profile: Albania` are about Albania. How-to titles,
 * codes and cut-off titles name none. A name takes an article where its kind or the text does.
 */
export function subjectOf(title: string, body = ''): Subject | undefined {
  let text = title
    .replace(/\s*\([^)]*\)\s*/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const parts = text.split(/\s*(?::|\s[–—|]|\s-)\s+/).filter(Boolean);
  if (parts.length > 1) text = LABEL.test(parts[0]!) ? parts[1]! : parts[0]!;
  text = text
    .replace(/[,:]?\s+(?:profile|fact sheet|facts|at a glance|key facts|data sheet|overview)$/i, '')
    .trim();
  const turned =
    /^([^,]+), (The|Federated States of|Democratic Republic of the|Republic of the|Kingdom of the)$/.exec(
      text,
    );
  if (turned) text = `${turned[2]} ${turned[1]}`;
  const north = /^([^,]+), (North|South|East|West)$/.exec(text);
  if (north) text = `${north[2]} ${north[1]}`;
  if (
    !/^(?:the\s+)?[\p{Lu}\p{N}`]/iu.test(text) ||
    !/^(?:[Tt]he\s+)?[\p{Lu}`]|^[a-z]+[-.][\w.]+$|^[a-z]+\d|\p{Lu}/u.test(text)
  )
    return undefined;
  if (text.length < 3 || text.split(' ').length > 8 || /[?!;]/.test(text)) return undefined;
  if (
    /^(?:how|why|what|when|where|who|which|making|using|getting|understanding|writing|choosing|a guide|guide to|welcome|home|untitled)\b/i.test(
      text,
    )
  )
    return undefined;
  // "The Dominican", cut off before its noun.
  if (/^The \p{Lu}\p{L}+(?:ican|ian|ese|ish)$/u.test(text)) return undefined;
  const the = /^the\s+(.+)$/i.exec(text);
  const bare = the ? the[1]! : text;
  const head = bare.split(' ').at(-1)!;
  const article =
    !the &&
    !NO_ARTICLE.test(bare) &&
    (WITH_ARTICLE.test(bare) ||
      (bare.includes(' ') && ARTICLE_HEAD.test(head)) ||
      /^(?:netherlands|philippines|maldives|bahamas|gambia)$/i.test(bare));
  return {
    name: the || article || (!NO_ARTICLE.test(bare) && articled(bare, body)) ? `the ${bare}` : bare,
    bare,
    head: COMMON_HEAD.test(head) && bare.includes(' ') ? head.toLowerCase() : undefined,
  };
}
