/** What is wrong with a JSON text, and where in it. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
}

const WHITESPACE = new Set([' ', '\t', '\n', '\r']);
/** Longest single value that is held in memory, in characters. */
const MAX_VALUE_CHARACTERS = 16 * 1024 * 1024;

/**
 * A JSON text that is read in pieces: the structure around the wanted values is walked character by character, and
 * each wanted value is cut out whole and parsed by `JSON.parse`. So memory holds one value, never the text.
 */
export class JsonText {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  private buffer = '';
  private at = 0;
  private dropped = 0;
  private ended = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.chunks = body[Symbol.asyncIterator]();
  }

  /** The next character that is not white space, not consumed; empty at the end. */
  async peek(): Promise<string> {
    for (;;) {
      while (this.at < this.buffer.length && WHITESPACE.has(this.buffer[this.at]!)) this.at++;
      if (this.at < this.buffer.length) return this.buffer[this.at]!;
      if (!(await this.more())) return '';
    }
  }

  /** Consumes the next character that is not white space, which must be the given one. */
  async expect(wanted: string): Promise<void> {
    const found = await this.peek();
    if (found !== wanted) throw this.unexpected(found, `'${wanted}'`);
    this.at++;
  }

  /** Consumes the next character that is not white space. */
  async take(): Promise<string> {
    const found = await this.peek();
    if (found === '') throw this.unexpected(found, 'more JSON');
    this.at++;
    return found;
  }

  /** Cuts out and parses the next value. */
  async value(): Promise<unknown> {
    if ((await this.peek()) === '') throw this.unexpected('', 'a value');
    const text = await this.cut();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new JsonTextError(
        `${(error as Error).message.slice(0, 200)}, in the value at character ${this.position(text)}`,
      );
    }
  }

  /** Fails unless nothing but white space is left. */
  async end(): Promise<void> {
    const found = await this.peek();
    if (found !== '') throw this.unexpected(found, 'the end');
  }

  unexpected(found: string, wanted: string): JsonTextError {
    const what = found === '' ? 'the end of the text' : `'${found}'`;
    return new JsonTextError(`Unexpected ${what} at character ${this.dropped + this.at}, expected ${wanted}`);
  }

  /** Stops reading the body. */
  async close(): Promise<void> {
    await this.chunks.return?.();
  }

  private position(text: string): number {
    return this.dropped + this.at - text.length;
  }

  /** The text of the value at hand: to the matching bracket or quote, or to the next delimiter. */
  private async cut(): Promise<string> {
    this.dropped += this.at;
    this.buffer = this.buffer.slice(this.at);
    this.at = 0;
    let depth = 0;
    let quoted = false;
    for (let index = 0; ; index++) {
      if (index > MAX_VALUE_CHARACTERS) {
        throw new JsonTextError(
          `The value at character ${this.dropped} is longer than ${MAX_VALUE_CHARACTERS} characters`,
        );
      }
      if (index === this.buffer.length && !(await this.more())) return this.consume(index);
      const character = this.buffer[index]!;
      if (quoted) {
        if (character === '\\') {
          index++;
          if (index === this.buffer.length && !(await this.more())) return this.consume(index);
        } else if (character === '"') {
          quoted = false;
          if (depth === 0) return this.consume(index + 1);
        }
      } else if (character === '"') quoted = true;
      else if (character === '{' || character === '[') depth++;
      else if (character === '}' || character === ']') {
        if (depth === 0) return this.consume(index);
        if (--depth === 0) return this.consume(index + 1);
      } else if (depth === 0 && (character === ',' || character === ':' || WHITESPACE.has(character))) {
        return this.consume(index);
      }
    }
  }

  private consume(length: number): string {
    this.at = Math.min(length, this.buffer.length);
    return this.buffer.slice(0, this.at);
  }

  private async more(): Promise<boolean> {
    while (!this.ended) {
      const { done, value } = await this.chunks.next();
      let text: string;
      try {
        text = done ? this.decoder.decode() : this.decoder.decode(value, { stream: true });
      } catch {
        throw new JsonTextError('The text is not UTF-8');
      }
      this.ended = done === true;
      if (text === '') continue;
      if (this.at === this.buffer.length) {
        this.dropped += this.at;
        this.buffer = text;
        this.at = 0;
      } else this.buffer += text;
      return true;
    }
    return false;
  }
}
