import { stem } from '#shared/text/stem.ts';
import { near, type Expression } from './arithmetic.ts';
import type { Mention } from './mentions.ts';
import type { Step } from './steps.ts';
import { STOP } from './words.ts';

/** Where each operand of a solution comes from (section 6, extract-tools step 2). */

export type Formula =
  | { type: 'literal'; value: number; text: string }
  /** A number of the question, by its mention. */
  | { type: 'mention'; mention: number }
  /** The value of an earlier step. */
  | { type: 'step'; step: number }
  | { type: 'binary'; op: '+' | '-' | '*' | '/' | '**'; left: Formula; right: Formula }
  | { type: 'negative'; of: Formula };

/** Units that are counted out in smaller ones: `two weeks` may stand for 14. */
const UNIT_FACTORS: [RegExp, number[]][] = [
  [/^dozens?$/, [12]],
  [/^weeks?$/, [7]],
  [/^days?$/, [24]],
  [/^hours?$/, [60]],
  [/^minutes?$/, [60]],
  [/^years?$/, [12, 365, 52]],
  [/^months?$/, [30, 4]],
  [/^(?:feet|foot)$/, [12]],
  [/^yards?$/, [3]],
  [/^pounds?$/, [16]],
  [/^gallons?$/, [4]],
  [/^decades?$/, [10]],
  [/^(?:centuries|century)$/, [100]],
  [/^(?:kilometers?|kilometres?|kilograms?|km|kg|liters?|litres?)$/, [1000]],
  [/^(?:meters?|metres?)$/, [100]],
];

const literal = (value: number): Formula => ({ type: 'literal', value, text: String(value) });
const binary = (op: '+' | '-' | '*' | '/', left: Formula, right: Formula): Formula => ({
  type: 'binary',
  op,
  left,
  right,
});

/** Binds the operands of all steps, in order. */
export function bindSteps(steps: readonly Step[], mentions: readonly Mention[]): Formula[] {
  const binder = new Binder(steps, mentions);
  return steps.map((step, index) => binder.bind(step, index));
}

class Binder {
  readonly #steps: readonly Step[];
  readonly #mentions: readonly Mention[];
  readonly #consumed = new Set<number>();
  readonly #used = new Set<number>();
  #step = 0;
  #words: ReadonlySet<string> = new Set();

  constructor(steps: readonly Step[], mentions: readonly Mention[]) {
    this.#steps = steps;
    this.#mentions = mentions;
  }

  bind(step: Step, index: number): Formula {
    this.#step = index;
    this.#words = stems(step);
    return this.#formula(step.expression);
  }

  #formula(expression: Expression): Formula {
    if (expression.type === 'number') return this.#operand(expression.value, expression.text);
    if (expression.type === 'negative') return { type: 'negative', of: this.#formula(expression.of) };
    const fraction = this.#fraction(expression);
    if (fraction) return fraction;
    const left = this.#formula(expression.left);
    return { type: 'binary', op: expression.op, left, right: this.#formula(expression.right) };
  }

  /** `3 / 4`, and `n * 3 / 4`, where the question says three quarters. */
  #fraction(expression: Expression & { type: 'binary' }): Formula | undefined {
    const { left, right } = expression;
    if (expression.op !== '/' || right.type !== 'number') return undefined;
    const over = right.value;
    if (left.type === 'number') {
      const mention = this.#mention(
        (value) => value > 0 && value < 1 && near(value, left.value / over),
        left.value !== 1,
      );
      return mention && !this.#plain(left.value) ? this.#use(mention) : undefined;
    }
    if (left.type === 'binary' && left.op === '*' && left.right.type === 'number') {
      const top = left.right.value;
      const mention = this.#mention((value) => value > 0 && value < 1 && near(value, top / over), true);
      if (mention && !this.#plain(top)) return binary('*', this.#formula(left.left), this.#use(mention));
    }
    return undefined;
  }

  #plain(value: number): boolean {
    return (
      this.#mentions.some((mention) => near(mention.value, value)) || this.#result(value, true) !== undefined
    );
  }

  #operand(value: number, text: string): Formula {
    const fresh = this.#result(value, true);
    const mention = this.#mention((given) => near(given, value), true);
    // Equal by chance: where the words around say which is meant, they decide.
    const byWords =
      fresh !== undefined &&
      mention !== undefined &&
      !this.#used.has(mention.index) &&
      this.#clearly(mention, fresh);
    if (fresh !== undefined && !byWords) return this.#consume(fresh);
    if (mention) return this.#use(mention);
    const old = this.#result(value, false);
    if (old !== undefined) return this.#consume(old);
    return this.#derived(value) ?? { type: 'literal', value, text };
  }

  /** The newest earlier result of a value; `fresh`: not used by a later step yet. */
  #result(value: number, fresh: boolean): number | undefined {
    for (let step = this.#step - 1; step >= 0; step--) {
      if (near(this.#steps[step]!.value, value) && !(fresh && this.#consumed.has(step))) return step;
    }
    return undefined;
  }

  #consume(step: number): Formula {
    this.#consumed.add(step);
    return { type: 'step', step };
  }

  #use(mention: Mention): Formula {
    this.#used.add(mention.index);
    return { type: 'mention', mention: mention.index };
  }

  /** The best mention whose value fits: one that shares words with the step, then one not used yet, then the first. */
  #mention(fits: (value: number, mention: Mention) => boolean, ranked: boolean): Mention | undefined {
    let best: { mention: Mention; score: number } | undefined;
    for (const mention of this.#mentions) {
      if (!fits(mention.value, mention)) continue;
      const shared = ranked ? this.#shared(mention) : 0;
      const score = shared + (this.#used.has(mention.index) ? 0 : 0.5) - (mention.ordinal ? 2 : 0);
      if (!best || score > best.score) best = { mention, score };
    }
    return best?.mention;
  }

  #shared(mention: Mention): number {
    const around = new Set(
      [...mention.before.slice(-4), ...mention.after.slice(0, 4)].map((word) => stem(word)),
    );
    return [...around].filter((word) => word.length > 2 && this.#words.has(word)).length;
  }

  /** Whether a mention shares more words with the step than the earlier step of equal value does. */
  #clearly(mention: Mention, result: number): boolean {
    const earlier = [...stems(this.#steps[result]!)].filter((word) => this.#words.has(word)).length;
    return this.#shared(mention) > earlier;
  }

  /** A value that follows from a number of the question: 0.2, 1.2, 0.8, 80 and 120 from 20 %, 14 from two weeks, 2 from half. */
  #derived(value: number): Formula | undefined {
    const of = (
      fits: (given: number, mention: Mention) => boolean,
      make: (mention: Formula) => Formula,
    ): Formula | undefined => {
      const mention = this.#mention(fits, true);
      return mention && make(this.#use(mention));
    };
    return (
      of(
        (given, { percent }) => percent && near(given / 100, value),
        (m) => binary('/', m, literal(100)),
      ) ??
      of(
        (given, { percent }) => percent && near(1 + given / 100, value),
        (m) => binary('+', literal(1), binary('/', m, literal(100))),
      ) ??
      of(
        (given, { percent }) => percent && near(1 - given / 100, value),
        (m) => binary('-', literal(1), binary('/', m, literal(100))),
      ) ??
      of(
        (given, { percent }) => percent && near(100 - given, value),
        (m) => binary('-', literal(100), m),
      ) ??
      of(
        (given, { percent }) => percent && near(100 + given, value),
        (m) => binary('+', literal(100), m),
      ) ??
      of(
        (given, { text }) => given > 0 && given < 1 && !/\d\.\d|^\./.test(text) && near(1 / given, value),
        (m) => binary('/', literal(1), m),
      ) ??
      of(
        (given, { percent, text }) =>
          given > 0 && given < 1 && !percent && !/\d\.\d|^\./.test(text) && near(given * 100, value),
        (m) => binary('*', m, literal(100)),
      ) ??
      of(
        (given, { after }) => /^cents?$/.test(after[0] ?? '') && near(given / 100, value),
        (m) => binary('/', m, literal(100)),
      ) ??
      this.#inUnits(value) ??
      of(
        (given) => given > 0 && given < 1 && near(1 - given, value),
        (m) => binary('-', literal(1), m),
      )
    );
  }

  #inUnits(value: number): Formula | undefined {
    for (const [unit, factors] of UNIT_FACTORS) {
      for (const factor of factors) {
        const named = ({ after }: Mention): boolean => unit.test(after[0] ?? '');
        const times = this.#mention(
          (given, mention) => named(mention) && given !== 1 && near(given * factor, value),
          true,
        );
        if (times) return binary('*', this.#use(times), literal(factor));
      }
    }
    const minutes = this.#mention(
      (given, { after }) => /^(?:minutes?|seconds?)$/.test(after[0] ?? '') && near(given / 60, value),
      true,
    );
    return minutes && binary('/', this.#use(minutes), literal(60));
  }
}

/** Stems of the content words around a step. */
const stems = ({ before, after }: Step): Set<string> =>
  new Set(
    (`${before} ${after}`.toLowerCase().match(/[\p{L}'’]+/gu) ?? [])
      .filter((word) => !STOP.has(word))
      .map((word) => stem(word)),
  );

/** The steps a formula needs. */
export function stepsOf(formula: Formula): number[] {
  if (formula.type === 'step') return [formula.step];
  if (formula.type === 'negative') return stepsOf(formula.of);
  return formula.type === 'binary' ? [...stepsOf(formula.left), ...stepsOf(formula.right)] : [];
}

/** The mentions a formula needs, in order of use. */
export function mentionsIn(formula: Formula): number[] {
  if (formula.type === 'mention') return [formula.mention];
  if (formula.type === 'negative') return mentionsIn(formula.of);
  return formula.type === 'binary' ? [...mentionsIn(formula.left), ...mentionsIn(formula.right)] : [];
}
