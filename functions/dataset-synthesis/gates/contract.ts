import type { AnswerType, Document, Domain, RejectCode, SynthesisInput } from '../records.ts';

/** What pipeline and gates agree on. `gates/index.ts` exports `runPairGates`, `gates/analysis.ts` the two parsers. */

/** A generated pair on its way to a record. */
export interface PairCandidate {
  /** `<docId>.<personaIndex>` */
  pairId: string;
  docId: string;
  personaIndex: number;
  domain: Domain;
  persona: string;
  question: string;
  answer: string;
  /** As the model said, until gate 3 recomputes it; a word that is no type counts as `phrase` before. */
  answerType: AnswerType;
  aliases: string[];
  /** The quote the model gave. */
  evidence: string;
}

/** A candidate that passed gates 3 to 7: type recomputed, key made, quote found in the document's text. */
export interface GatedCandidate extends PairCandidate {
  /** Canonical answer (gate 3). */
  answerKey: string;
  /** Where the evidence stands in `document.text`, in UTF-16 code units. */
  span?: { quote: string; charStart: number; charEnd: number };
  context?: string;
}

export type GateConfig = Pick<SynthesisInput, 'answers' | 'pii'>;

export type GateVerdict =
  | { pass: true; candidate: GatedCandidate; flags: string[] }
  | { pass: false; code: RejectCode; evidence: Record<string, unknown> };

/** Gates 3 to 7, cheapest first; the first failure decides. Pure and deterministic. */
export type RunPairGates = (candidate: PairCandidate, document: Document, config: GateConfig) => GateVerdict;

/** Gate 2: the listed domain a model's text names (case-insensitive), undefined where none. */
export type ParseDomain = (value: unknown) => Domain | undefined;

/** Gate 2: at most `max` distinct, trimmed personas; a string splits on commas outside brackets. */
export type ParsePersonas = (value: unknown, max: number) => string[];
