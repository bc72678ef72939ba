import { canonicalJson } from '#shared/determinism/hash.ts';
import type { SandboxRequest, SandboxResult } from '#shared/sandbox/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { compareAnswer } from '#shared/text/answers.ts';
import { scanNumbers } from '#shared/text/numbers.ts';
import { near } from '../builtin/arithmetic.ts';
import { finalNumber } from '../builtin/final-number.ts';
import { mentionsOf } from '../builtin/mentions.ts';
import { codeOfError, errorText, isOk } from './outcomes.ts';
import {
  gatedDrafts,
  goldOf,
  goldText,
  idOf,
  type Draft,
  type Gated,
  type Item,
  type Refusal,
} from './state.ts';

/** RunCases: each tool's own call, twice, then changed calls of those that did (section 9). Expected values stay here. */

export type Limits = Omit<SandboxRequest, 'id' | 'code' | 'call' | 'setup'>;
export type RunBatch = (requests: readonly SandboxRequest[]) => Promise<Map<string, SandboxResult>>;

/** Changed calls may run away where the real one does not: they get less time. */
const PERTURBED_MS = 1000;

type Running = Draft & { gated: Gated };

/** Runs the calls of all live drafts without a value. The items given are changed. */
export async function runCases(items: readonly Item[], limits: Limits, run: RunBatch): Promise<void> {
  const waiting = items.flatMap((item) =>
    gatedDrafts(item)
      .filter(({ value }) => value === undefined)
      .map((draft) => ({ item, draft: draft, id: `${idOf(item)}.${draft.index}` })),
  );
  const own = await run(
    waiting.map(({ id, draft }) => requestOf(`${id}:own`, draft, draft.gated.call, limits)),
  );
  const standing: typeof waiting = [];
  for (const entry of waiting) {
    const { item, draft, id } = entry;
    const result = own.get(`${id}:own`);
    const refusal = judgeOwn(item, result);
    if (refusal) draft.refusal = refusal;
    if (isOk(result)) draft.value = result.value;
    if (!refusal) standing.push(entry);
  }
  const quick = { ...limits, timeoutMs: Math.min(limits.timeoutMs, PERTURBED_MS) };
  const changed = await run(
    standing.flatMap(({ id, draft }) => [
      requestOf(`${id}:again`, draft, draft.gated.call, { ...limits, seed: limits.seed + 1 }),
      ...draft.gated.perturbed.map((call, n) => requestOf(`${id}:p${n}`, draft, call, quick)),
      ...(draft.gated.allNone === undefined
        ? []
        : [requestOf(`${id}:none`, draft, draft.gated.allNone, quick)]),
    ]),
  );
  for (const { item, draft, id } of standing) {
    const perturbed = draft.gated.perturbed.map((_, n) => changed.get(`${id}:p${n}`));
    const refusal =
      judgeChanged(item, draft, perturbed, changed.get(`${id}:none`)) ??
      judgeAgain(draft, changed.get(`${id}:again`));
    if (refusal) draft.refusal = refusal;
  }
}

const requestOf = (id: string, { gated }: Running, call: string, limits: Limits): SandboxRequest => ({
  ...limits,
  id,
  code: gated.code,
  call,
  ...(gated.setup === undefined ? {} : { setup: gated.setup }),
});

/** What speaks against a draft after its own call. */
function judgeOwn(item: Item, result: SandboxResult | undefined): Refusal | undefined {
  if (!result) return { code: 'EXEC_ERROR', message: 'The sandbox gave no result.' };
  if (!result.ok)
    return { code: codeOfError(result.error), message: `The call failed with ${errorText(result.error)}` };
  if (item.validation !== 'resolve' && alone(item) && !isRight(item, result.value)) {
    const given = canonicalJson(result.value).slice(0, 200);
    return {
      code: 'WRONG_VALUE',
      message: `The call gives ${given}, the answer is ${goldText(item).slice(0, 200)}.`,
    };
  }
  return undefined;
}

/** What speaks against a draft whose call was run with another seed. */
function judgeAgain(draft: Running, again: SandboxResult | undefined): Refusal | undefined {
  if (again?.ok && canonicalJson(again.value) === canonicalJson(draft.value!)) return undefined;
  if (again?.ok === false && again.error.type === 'Timeout') {
    return { code: 'TIMEOUT', message: `The same call once more failed with ${errorText(again.error)}` };
  }
  return { code: 'NONDETERMINISTIC', message: 'The same call gave another value with another seed.' };
}

/** Of several tools of one problem each does a step; of one alone the value is the answer. */
const alone = (item: Item): boolean => item.drafts.filter(({ round }) => round === item.round).length === 1;

export const isRight = (item: Item, value: Json): boolean => {
  const { row } = item.row;
  const options = 'options' in row && row.options ? { options: row.options } : {};
  return compareAnswer(goldOf(item), value, options).equal;
};

/** Whether two runs gave the same: no rounding, no units. */
const sameValue = (a: Json, b: Json): boolean =>
  typeof a === 'number' && typeof b === 'number' ? near(a, b) : canonicalJson(a) === canonicalJson(b);

/** Literals that occur in any code. */
const COMMON = new Set([0, 1, 2, 10, 100]);

/** What speaks against a draft after its changed calls: of several findings the first that section 11 lists. */
export function judgeChanged(
  item: Item,
  draft: Running,
  perturbed: readonly (SandboxResult | undefined)[],
  allNone: SandboxResult | undefined,
): Refusal | undefined {
  const value = draft.value!;
  const { kind, literals, handled } = draft.gated;
  const swallows: Refusal = {
    code: 'SWALLOWS_ERRORS',
    message: 'The value comes from a handler of exceptions, or without any argument.',
  };
  if (handled.some((literal) => sameValue(value, literal))) return swallows;
  const returned = perturbed.filter(isOk);
  if (
    kind !== 'knowledge' &&
    returned.length > 0 &&
    returned.every((result) => sameValue(value, result.value))
  ) {
    return {
      code: 'CONSTANT_FUNCTION',
      message: `Changed arguments changed nothing in ${returned.length} calls.`,
    };
  }
  if (isOk(allNone) && sameValue(value, allNone.value)) return swallows;
  if (kind !== 'knowledge' && isAnswerLiteral(item, literals)) {
    return { code: 'ANSWER_LITERAL', message: `The answer ${goldText(item)} stands in the code.` };
  }
  return undefined;
}

function isAnswerLiteral(item: Item, literals: readonly (number | string)[]): boolean {
  const gold = goldOf(item);
  const number = typeof gold === 'number' ? gold : typeof gold === 'string' ? finalNumber(gold) : undefined;
  if (number === undefined) {
    return typeof gold === 'string' && gold.length > 1 && literals.includes(gold);
  }
  if (COMMON.has(number) || !literals.includes(number)) return false;
  const { question } = item.row.row;
  return (
    !mentionsOf(question).some(({ value }) => value === number) &&
    !scanNumbers(question).some(({ value }) => value === number)
  );
}
