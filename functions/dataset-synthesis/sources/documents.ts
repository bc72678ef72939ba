import { sha256Hex } from '#shared/determinism/hash.ts';
import { guessLanguage, primaryLanguage } from '#shared/text/languages.ts';
import { normaliseLicence, sameLicence } from '#shared/text/licences.ts';
import { normaliseDocument } from '#shared/text/normalise.ts';
import { countTokens } from '#shared/text/tokens.ts';
import type { Document, Source, SynthesisInput } from '../records.ts';
import type { RejectDraft } from '../rejects.ts';
import { fieldsOf } from './fields.ts';
import { splitPassages } from './passages.ts';
import { addressOf } from './locations.ts';

export type DocumentPolicy = Pick<SynthesisInput, 'documents' | 'licences' | 'languages'>;

/** Where a record stood: the file as the job names it, line from 1, byte offsets in it. */
export interface Place {
  file: string;
  line: number;
  byteStart: number;
  byteEnd: number;
}

/** `d` and the first 32 hex digits of sha256(normText). */
export const docIdOf = (normText: string): string => `d${sha256Hex(normText).slice(0, 32)}`;

export interface Admitted {
  documents: Document[];
  rejects: RejectDraft[];
}

/**
 * What becomes of one source record: its Document, or its passages, and what the policy refuses (licence, language,
 * length, in this order; duplicates come later). Pure.
 */
export function admit(
  record: Record<string, unknown>,
  place: Place,
  source: Pick<Source, 'fields' | 'defaults'>,
  policy: DocumentPolicy,
): Admitted {
  const fields = fieldsOf(record, source);
  const rejectAt = { uri: place.file, line: place.line, byteStart: place.byteStart };
  const given = fields.licence ?? source.defaults?.licence;
  const licence = given === undefined ? 'unknown' : normaliseLicence(given);
  const text = fields.text === undefined ? '' : normaliseDocument(fields.text);
  if (text === '') {
    const columns = Object.keys(record).slice(0, 20);
    const hint = 'no column with text; name it in sources[].fields.text';
    return {
      documents: [],
      rejects: [{ code: 'MISSING_TEXT', source: rejectAt, licence, evidence: { columns, hint } }],
    };
  }
  const docId = docIdOf(text);
  const reject = (code: RejectDraft['code'], evidence: Record<string, unknown>, id = docId): RejectDraft => ({
    code,
    source: rejectAt,
    licence,
    docId: id,
    evidence,
  });
  const refused = refuseLicence(licence, policy.licences);
  if (refused) return { documents: [], rejects: [reject(refused, { licence })] };

  const declared = primaryLanguage(fields.lang ?? source.defaults?.lang ?? '');
  const lang = declared ?? guessLanguage(text);
  if (policy.languages.length > 0 && !policy.languages.some((wanted) => wanted.toLowerCase() === lang)) {
    return {
      documents: [],
      rejects: [reject('LANGUAGE_EXCLUDED', { lang, declared: declared !== undefined })],
    };
  }

  const tokens = countTokens(text);
  const { minTokens, maxTokens, maxPassages, long } = policy.documents;
  const attribution = fields.attribution ?? source.defaults?.attribution;
  const document = (body: string, id: string, size: number, passage?: Document['passage']): Document => ({
    docId: id,
    ...(fields.id === undefined ? {} : { sourceId: fields.id.slice(0, 500) }),
    sourceUri: (fields.uri ?? addressOf(place.file)).slice(0, 2000),
    position: { ...place },
    ...(fields.title === undefined ? {} : { title: normaliseDocument(fields.title).slice(0, 500) }),
    text: body,
    lang,
    ...(passage ? { passage } : {}),
    licence,
    ...(attribution === undefined ? {} : { attribution: attribution.slice(0, 1000) }),
    tokens: size,
    meta: fields.meta,
  });
  const short = (size: number, id: string): RejectDraft =>
    reject('HEURISTIC_SHORT', { tokens: size, minTokens }, id);

  if (tokens <= maxTokens) {
    if (tokens < minTokens) return { documents: [], rejects: [short(tokens, docId)] };
    return { documents: [document(text, docId, tokens)], rejects: [] };
  }
  if (long === 'reject')
    return { documents: [], rejects: [reject('DOCUMENT_TOO_LONG', { tokens, maxTokens })] };

  const passages = splitPassages(text, maxTokens);
  const admitted: Admitted = { documents: [], rejects: [] };
  for (const [index, passage] of passages.slice(0, maxPassages).entries()) {
    const body = text.slice(passage.charStart, passage.charEnd);
    const id = docIdOf(body);
    if (passage.tokens < minTokens) admitted.rejects.push(short(passage.tokens, id));
    else {
      const { charStart, charEnd } = passage;
      admitted.documents.push(
        document(body, id, passage.tokens, { parentId: docId, index, charStart, charEnd }),
      );
    }
  }
  const beyond = passages[maxPassages];
  if (beyond) {
    const evidence = { passages: passages.length, maxPassages, charStart: beyond.charStart };
    admitted.rejects.push(reject('PASSAGE_LIMIT', evidence));
  }
  return admitted;
}

function refuseLicence(
  licence: string,
  rules: SynthesisInput['licences'],
): 'LICENCE_UNKNOWN' | 'LICENCE_DENIED' | undefined {
  if (licence === 'unknown') return rules.unknown === 'reject' ? 'LICENCE_UNKNOWN' : undefined;
  const named = (list: string[]): boolean => list.some((entry) => sameLicence(entry, licence));
  if (rules.deny && named(rules.deny)) return 'LICENCE_DENIED';
  if (rules.allow && !named(rules.allow)) return 'LICENCE_DENIED';
  return undefined;
}
