/** Normal forms of text. Each is idempotent and independent of locale. */

/** Byte-order mark, zero-width characters, and control characters except tab and newline. */
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200d\u2060\ufeff]/g;

/**
 * The normal form that document ids are hashes of (dataset-synthesis section 3): CRLF becomes LF; byte-order marks,
 * zero-width and control characters except tab and newline go; NFC; trailing blanks are cut; three or more newlines
 * become two; ends are trimmed.
 */
export function normaliseDocument(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n/g, '\n')
    .replace(INVISIBLE, '')
    .normalize('NFC')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** NFKC, lower case, every run of characters that are no letters, marks or digits one space: for equal questions. */
export function comparable(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim();
}

/**
 * The words of a text for contamination tests: NFKC, lower case, punctuation and symbols deleted, and only then split
 * on white space, so that a lone dash is no word.
 */
export function contaminationWords(text: string): string[] {
  const bare = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{P}\p{S}]+/gu, '')
    .trim();
  return bare === '' ? [] : bare.split(/\s+/u);
}
