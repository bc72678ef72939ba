import { badResponse } from '../providers/errors.ts';

/** The longest line of a stream. */
export const MAX_LINE_BYTES = 1_048_576;
/** No sane answer is larger, streamed or not; a hostile server's is not read further. */
export const MAX_BODY_BYTES = 16 * 1_048_576;

const NEWLINE = 0x0a;

/**
 * Splits a byte stream into the JSON values it carries: JSON lines and server-sent events alike. Bytes may be cut
 * anywhere, inside a character too, for only whole lines are decoded.
 */
export class JsonStream {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #total = 0;
  #done = false;
  /** Lines of an event's data whose first one is not JSON by itself. */
  #begun: string[] = [];
  #begunChars = 0;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });

  /** `[DONE]` has been seen; nothing after it is read. */
  get done(): boolean {
    return this.#done;
  }

  /** The values that these bytes complete. @throws ProviderError BAD_RESPONSE */
  push(bytes: Uint8Array): unknown[] {
    const values: unknown[] = [];
    this.#total += bytes.length;
    if (this.#total > MAX_BODY_BYTES && !this.#done)
      throw badResponse(`The stream is longer than ${MAX_BODY_BYTES} bytes.`);
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0 && !this.#done; at = bytes.indexOf(NEWLINE, from)) {
      this.#keep(bytes.subarray(from, at));
      this.#take(values);
      from = at + 1;
    }
    if (!this.#done) this.#keep(bytes.subarray(from));
    return values;
  }

  /** The value of a last line without an end. @throws ProviderError BAD_RESPONSE */
  end(): unknown[] {
    const values: unknown[] = [];
    if (!this.#done) this.#take(values);
    if (!this.#done) this.#endEvent(values);
    return values;
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_LINE_BYTES)
      throw badResponse(`A line of the stream is longer than ${MAX_LINE_BYTES} bytes.`);
    // A copy: the caller may reuse its buffer.
    this.#parts.push(bytes.slice());
  }

  #take(values: unknown[]): void {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    let line: string;
    try {
      line = this.#utf8.decode(bytes).trim();
    } catch (error) {
      throw badResponse('A line of the stream is not UTF-8.', error);
    }
    if (line === '') return this.#endEvent(values);
    // Comments and the fields of an event other than its data.
    if (line.startsWith(':') || /^(?:event|id|retry)(?::|$)/.test(line)) return;
    const isField = line.startsWith('data:');
    const data = isField ? line.slice(5).trim() : line;
    if (data === '') return;
    if (this.#begun.length > 0) return this.#goOn(data);
    if (data === '[DONE]') {
      this.#done = true;
      return;
    }
    try {
      values.push(JSON.parse(data));
    } catch (error) {
      // The data of one event may stand on several lines, each with its field's name.
      if (!isField) throw badResponse('A line of the stream is not JSON.', error);
      this.#goOn(data);
    }
  }

  #goOn(data: string): void {
    this.#begun.push(data);
    this.#begunChars += data.length;
    if (this.#begunChars > MAX_LINE_BYTES)
      throw badResponse(`An event of the stream is longer than ${MAX_LINE_BYTES} bytes.`);
  }

  #endEvent(values: unknown[]): void {
    if (this.#begun.length === 0) return;
    const data = this.#begun.join('\n');
    this.#begun = [];
    this.#begunChars = 0;
    try {
      values.push(JSON.parse(data));
    } catch (error) {
      throw badResponse('An event of the stream is not JSON.', error);
    }
  }
}
