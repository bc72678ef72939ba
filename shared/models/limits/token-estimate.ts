const FIRST_TOKENS_PER_BYTE = 0.25;
const WEIGHT = 0.1;

/** What a call will use of the tokens-a-minute limit, learnt from what calls used (model-inference section 9). */
export class TokenEstimate {
  #perByte = FIRST_TOKENS_PER_BYTE;
  #output: number | undefined;

  /** Tokens to take: bytes times the mean of tokens a byte, and twice the mean output up to what may come. */
  of(bytes: number, maxOutput: number): number {
    return Math.ceil(bytes * this.#perByte + Math.min(maxOutput, 2 * (this.#output ?? maxOutput)));
  }

  learn(bytes: number, input: number, output: number): void {
    if (bytes > 0) this.#perByte += WEIGHT * (input / bytes - this.#perByte);
    this.#output = this.#output === undefined ? output : this.#output + WEIGHT * (output - this.#output);
  }
}
