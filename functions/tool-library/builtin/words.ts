import { STOP_WORDS } from '#shared/text/stop-words.ts';

/** Words that name nothing: stop words, counting words, and verbs that stand around every amount. */
export const STOP: ReadonlySet<string> = new Set([
  ...STOP_WORDS,
  ...`each per apiece total altogether number amount times time much many more less fewer remaining rest left dozen
  twice half double triple one two three four five six seven eight nine ten eleven twelve hundred thousand million
  also only same different additional extra another other every both which gets get got give gives gave given take
  takes took make makes made buy buys bought sell sells sold want wants wanted need needs needed go goes went come
  comes came find finds found plus minus someone equals equal worth costs cost spend spends spent pay pays paid earn earns
  earned eat eats ate put puts say says said know knows let lets using based average`.split(/\s+/),
]);
