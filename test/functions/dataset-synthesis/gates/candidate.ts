import type { PairCandidate } from '#functions/dataset-synthesis/gates/contract.ts';
import type { Document } from '#functions/dataset-synthesis/records.ts';

/** A document with the given text. */
export const documentOf = (text: string, title?: string): Document => ({
  docId: 'd0',
  sourceUri: 'examples/bridge.txt',
  position: { file: 'bridge.txt', line: 1, byteStart: 0, byteEnd: text.length },
  text,
  licence: 'CC0-1.0',
  tokens: 60,
  meta: {},
  ...(title ? { title } : {}),
});

export const BRIDGE = documentOf(
  'Pebble Bridge crosses the Orre in Fenmoor. It was opened to road traffic in 1911 and is 5 km from the station. ' +
    'About 1,200 people cross it each day. Its engineer was Agnes Thorne.',
  'Pebble Bridge',
);

/** A sound pair over BRIDGE, changed as a test needs. */
export const candidate = (changes: Partial<PairCandidate> = {}): PairCandidate => ({
  pairId: 'd0.0',
  docId: 'd0',
  personaIndex: 0,
  domain: 'Travel & Lifestyle',
  persona: 'city tourist',
  question: 'In what year was Pebble Bridge in Fenmoor opened to road traffic?',
  answer: '1911',
  answerType: 'date',
  aliases: [],
  evidence: 'It was opened to road traffic in 1911',
  ...changes,
});
