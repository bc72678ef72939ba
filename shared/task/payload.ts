import { defect, invalidInput } from './errors.ts';

/** Step Functions and Lambda carry at most this much JSON text in a state payload. */
export const MAX_PAYLOAD_BYTES = 256 * 1024;
/** Our own limit (DESIGN section 4): content goes to artifacts, payloads carry references. */
export const OUR_PAYLOAD_BYTES = 32 * 1024;

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '');

/** The size of an input in bytes of JSON text. @throws InvalidInput above 256 KiB. */
export function checkInputSize(event: unknown, where: string): number {
  const bytes = bytesOf(event);
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw invalidInput(
      `The input of ${where} has ${bytes} bytes, the limit is ${MAX_PAYLOAD_BYTES}: pass a reference to an artifact.`,
    );
  }
  return bytes;
}

/** The size of an output. @throws Defect above 32 KiB: the task returns what belongs into an artifact. */
export function checkOutputSize(output: unknown, where: string): number {
  const bytes = bytesOf(output);
  if (bytes > OUR_PAYLOAD_BYTES) {
    throw defect(
      `The output of ${where} has ${bytes} bytes, the limit is ${OUR_PAYLOAD_BYTES}: it must return a reference to an artifact.`,
    );
  }
  return bytes;
}
