/** Cutting a text into the pieces of words that the sentence encoder knows. */

/** A piece with its log probability, by its number in the model's table of embeddings. */
export type Vocabulary = readonly (readonly [piece: string, score: number])[];

/** The first numbers of the vocabulary stand for no text: unknown, start, end and the like. */
const RESERVED = 6;
const UNKNOWN = 0;
/** Stands for a blank, and before the first word. */
const BLANK = '\u2581';

interface Node {
  /** By the next character. */
  next: Map<string, Node>;
  /** The piece that ends here. */
  piece?: { score: number; number: number };
}

/**
 * Cuts texts into the most probable pieces (the unigram model of Kudo, "Subword Regularization", 2018, as SentencePiece
 * has it; the Viterbi algorithm). A character that begins no piece is unknown; of a run of those one is kept.
 * @returns numbers of the pieces of a text, in its order. Time grows with the text's length.
 */
export function pieceTokenizer(vocabulary: Vocabulary): (text: string) => number[] {
  const root: Node = { next: new Map() };
  for (const [number, [piece, score]] of vocabulary.entries()) {
    if (number < RESERVED) continue;
    let node = root;
    for (const character of piece) {
      let next = node.next.get(character);
      if (!next) node.next.set(character, (next = { next: new Map() }));
      node = next;
    }
    node.piece = { score, number };
  }

  return (text) => {
    const characters = [...prepared(text)];
    // Of the best way to cut the text before each place: its score, and the piece at its end.
    const scores = new Float64Array(characters.length + 1);
    const pieces = new Int32Array(characters.length + 1);
    const starts = new Int32Array(characters.length + 1);
    const reach = (end: number, start: number, score: number, number: number): void => {
      // A place with score 0 has not been reached, or by unknown characters alone. Later starts win ties.
      if (scores[end] !== 0 && score < scores[end]!) return;
      scores[end] = score;
      pieces[end] = number;
      starts[end] = start;
    };
    for (let start = 0; start < characters.length; start++) {
      let known = false;
      let node = root.next.get(characters[start]!);
      for (let end = start + 1; node; end++) {
        if (node.piece) {
          known = true;
          reach(end, start, node.piece.score + scores[start]!, node.piece.number);
        }
        node = end < characters.length ? node.next.get(characters[end]!) : undefined;
      }
      if (!known) reach(start + 1, start, scores[start]!, UNKNOWN);
    }
    const cut: number[] = [];
    for (let end = characters.length; end > 0; end = starts[end]!) {
      if (pieces[end] !== UNKNOWN || cut.at(-1) !== UNKNOWN) cut.push(pieces[end]!);
    }
    return cut.reverse();
  };
}

function prepared(text: string): string {
  const normal = text.normalize('NFKC');
  return normal === '' ? '' : BLANK + normal.replaceAll(' ', BLANK);
}
