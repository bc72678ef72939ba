import { NUMBER, PATTERN } from '../values.ts';

/** How one key of a profile is asked for. */
export interface Attribute {
  /** Over the lower-case key path joined by ` - `. */
  key: RegExp;
  /** Over the bare value; group `a` is the answer, other named groups fill slots of the question. */
  value: RegExp;
  /**
   * Slots: `{s}` subject; `{y}` the year, which the line must then state; `{est}` "estimated " or nothing;
   * `{since}` likewise required; and the named groups of `value` and `key`.
   */
  question: string;
  /** The value may go on behind the qualifier. */
  tail?: RegExp;
  /** Applied to every part of the value that ` ; ` or `,` separates, with the year of the whole. */
  split?: ';' | ',';
  type?: 'date' | 'list';
  /** Names stand in capitals and are given common spelling. */
  capitals?: boolean;
  score?: 1 | 2 | 3;
  group?: string;
}

type Options = Pick<Attribute, 'tail' | 'split' | 'type' | 'capitals' | 'score' | 'group'>;

const named: Record<string, RegExp> = { ...PATTERN, list: /^(?<a>.+)$/ };

/**
 * An attribute; `value` names a pattern of values.ts, or is one of our own where `#` stands for a number.
 */
export function at(key: string, value: string, question: string, options: Options = {}): Attribute {
  return {
    key: new RegExp(`^(?:${key})$`),
    value: named[value] ?? new RegExp(`^(?:${value.replaceAll('#', NUMBER)})$`, 'u'),
    question,
    ...options,
  };
}
