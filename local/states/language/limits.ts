/** Limits of the language (embedded-platform sections 2 and 5), as AWS documents or as others measured them. */

/** Longest definition, in UTF-8 bytes of JSON text. */
export const MAX_DEFINITION_BYTES = 1_048_576;
/** Longest state name and variable name, in characters. */
export const MAX_NAME_CHARACTERS = 80;
/** Longest time-out, heartbeat and wait, in seconds. */
export const MAX_SECONDS = 99_999_999;
/** Longest `MaxDelaySeconds` of a retrier. */
export const MAX_RETRY_DELAY_SECONDS = 31_622_400;
/** Most items a reader may be asked for. */
export const MAX_READER_ITEMS = 100_000_000;
/** Largest payload, and so the largest `MaxInputBytesPerBatch`, in bytes. */
export const MAX_PAYLOAD_BYTES = 262_144;
/** Longest label of a Distributed Map, in characters. */
export const MAX_LABEL_CHARACTERS = 40;

/** One evaluation may take this long, in milliseconds. */
export const MAX_EVALUATION_MS = 1_000;
/** Nested evaluations of one expression. */
export const MAX_EVALUATION_DEPTH = 100;
/** What one expression may hold, in bytes: 8 a number, 2 a character; ranges of 873,782 numbers just fit. */
export const MAX_EVALUATION_BYTES = 6_990_256;
