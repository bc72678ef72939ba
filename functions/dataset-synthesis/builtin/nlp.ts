import winkNLP, { type ItemSentence } from 'wink-nlp';
import model from 'wink-eng-lite-web-model';

/** Sentences and part-of-speech tags, by wink-nlp with its light English model. */

export interface Token {
  text: string;
  /** Universal part-of-speech tag. */
  pos: string;
  /** UTF-16 offsets within the sentence. */
  start: number;
  end: number;
}

export interface Sentence {
  text: string;
  tokens: Token[];
}

const nlp = winkNLP(model, ['sbd', 'pos']);
const its = nlp.its;

/** The sentences of a paragraph with their tokens, in order. */
export function parseProse(text: string): Sentence[] {
  const out: Sentence[] = [];
  nlp
    .readDoc(text)
    .sentences()
    .each((sentence: ItemSentence) => {
      const words = sentence.tokens().out() as string[];
      const tags = sentence.tokens().out(its.pos) as string[];
      const gaps = sentence.tokens().out(its.precedingSpaces) as string[];
      let raw = '';
      const tokens: Token[] = words.map((word, index) => {
        if (index > 0) raw += gaps[index]!;
        const start = raw.length;
        raw += word;
        return { text: word, pos: tags[index]!, start, end: raw.length };
      });
      if (tokens.length > 0) out.push({ text: raw, tokens });
    });
  return out;
}
