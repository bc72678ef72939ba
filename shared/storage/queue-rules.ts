import { invalidInput } from '#shared/task/errors.ts';

/** What every queue adapter accepts: SQS's limits, checked the same way before anything is sent. */

export const MAX_MESSAGE_BYTES = 256 * 1024;
export const MAX_BATCH = 10;
export const MAX_DELAY_SECONDS = 900;
export const MAX_WAIT_SECONDS = 20;
export const MAX_VISIBILITY_SECONDS = 43_200;

const integerBetween = (value: number, low: number, high: number): boolean =>
  Number.isInteger(value) && value >= low && value <= high;

// SQS takes XML 1.0 characters only: tab, line feed, carriage return, and everything from space on but U+FFFE, U+FFFF.
const REFUSED_CHARACTER = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;

export interface Sendable {
  index: number;
  body: string;
  delaySeconds: number;
}

export interface CheckedBatch {
  accepted: Sendable[];
  failed: { index: number; code: string; message: string }[];
}

/**
 * Sorts a batch into what can be sent and what SQS refuses one by one (`InvalidMessageContents`).
 * @throws InvalidInput for a batch of no or more than 10 messages, a body over 256 KiB or a delay outside 0..900 s:
 *   then nothing is sent.
 */
export function checkSend(messages: readonly { body: string; delaySeconds?: number }[]): CheckedBatch {
  if (!integerBetween(messages.length, 1, MAX_BATCH)) {
    throw invalidInput(`A send takes 1 to ${MAX_BATCH} messages, not ${messages.length}.`);
  }
  const batch: CheckedBatch = { accepted: [], failed: [] };
  messages.forEach(({ body, delaySeconds = 0 }, index) => {
    const bytes = Buffer.byteLength(body);
    if (bytes > MAX_MESSAGE_BYTES) {
      throw invalidInput(
        `Message ${index} has ${bytes} bytes, the limit is ${MAX_MESSAGE_BYTES}: send a reference.`,
      );
    }
    if (!integerBetween(delaySeconds, 0, MAX_DELAY_SECONDS)) {
      throw invalidInput(`Message ${index}: delaySeconds is 0 to ${MAX_DELAY_SECONDS}, not ${delaySeconds}.`);
    }
    const problem = body === '' ? 'it is empty' : contentProblem(body);
    if (problem === undefined) batch.accepted.push({ index, body, delaySeconds });
    else {
      batch.failed.push({
        index,
        code: 'InvalidMessageContents',
        message: `Message ${index} cannot be sent: ${problem}.`,
      });
    }
  });
  return batch;
}

function contentProblem(body: string): string | undefined {
  if (!body.isWellFormed()) return 'it is not well-formed Unicode';
  return REFUSED_CHARACTER.test(body) ? 'it contains a control character' : undefined;
}

export interface ReceiveLimits {
  max: number;
  waitSeconds: number;
  visibilitySeconds: number | undefined;
}

/** Fills in defaults (1 message, no wait). @throws InvalidInput for values out of range. */
export function checkReceive(options: {
  max?: number | undefined;
  waitSeconds?: number | undefined;
  visibilitySeconds?: number | undefined;
}): ReceiveLimits {
  const { max = 1, waitSeconds = 0, visibilitySeconds } = options;
  if (!integerBetween(max, 1, MAX_BATCH))
    throw invalidInput(`A receive takes 1 to ${MAX_BATCH} messages, not ${max}.`);
  if (!(waitSeconds >= 0 && waitSeconds <= MAX_WAIT_SECONDS)) {
    throw invalidInput(`waitSeconds is 0 to ${MAX_WAIT_SECONDS}, not ${waitSeconds}.`);
  }
  if (visibilitySeconds !== undefined) checkVisibility(visibilitySeconds);
  return { max, waitSeconds, visibilitySeconds };
}

export function checkVisibility(seconds: number): void {
  if (!integerBetween(seconds, 0, MAX_VISIBILITY_SECONDS)) {
    throw invalidInput(`A visibility time is 0 to ${MAX_VISIBILITY_SECONDS} whole seconds, not ${seconds}.`);
  }
}
