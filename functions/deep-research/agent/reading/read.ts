import { balancedEnd, fences } from '#shared/models/structured-output/extract.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Call, ParseErrorCode, StoredReply } from '../../records.ts';
import type { AgentAnswer } from '../types.ts';
import { isGarbled } from './garbled.ts';
import { parseJson, repairJsonCall } from './json.ts';
import { exactCall, shapedCall } from './shape.ts';

/** What a reply says. `repairs` names the rungs of the ladder that were needed. */
export type Reading =
  | { kind: 'call'; call: Call; more: number; repairs: string[] }
  | { kind: 'answer'; answer: AgentAnswer; repairs: string[] }
  | { kind: 'error'; code: ParseErrorCode; repairs: string[] };

const CLOSING_THOUGHT = /<\/(?:think|thinking|thought|reasoning)>/gi;
const OPENING_THOUGHT = /<(?:think|thinking|thought|reasoning)>/i;
const SPECIAL = /<\|[^|<>\n]{1,60}\|>|\[TOOL_CALLS\]/g;
const CALL = /<tool_call>([\s\S]*?)<\/tool_call>/g;
const ANSWER = /<answer>([\s\S]*?)<\/answer>/;
const OPEN_CALL = /<tool_call>([\s\S]*)$/;
const OPEN_ANSWER = /<answer>([\s\S]*)$/;
const CITATIONS = /<citations>([\s\S]*?)(?:<\/citations>|$)/;

/**
 * Reads a model's reply by the repair ladder of specification section 4. Never throws; whatever the reply is, it is a
 * call, an answer or a named error.
 * @param tools names that may be called, in the order they are offered.
 */
export function readReply(reply: StoredReply, tools: readonly string[]): Reading {
  const error = (code: ParseErrorCode, repairs: string[] = []): Reading => ({ kind: 'error', code, repairs });
  if (reply.finish === 'length') return error('truncated');
  if (reply.text.trim() === '' && !reply.toolCalls?.length) return error('empty');
  if (isGarbled(reply.text)) return error('garbled');

  const thought = withoutThinking(reply.text);
  if (!thought) return error('unclosed_thinking');
  const repairs = thought.repaired ? ['thinking'] : [];
  let { text } = thought;

  if (reply.toolCalls?.length) return ownCall(reply.toolCalls, text, tools, repairs);

  let found = parse(text, repairs, tools);
  if (found) return found;
  const plain = text.replace(SPECIAL, ' ');
  if (plain !== text) {
    text = plain;
    repairs.push('special_tokens');
    found = parse(text, repairs, tools);
    if (found) return found;
  }
  if (text.trim() === '') return error('empty', repairs);
  found = otherCarriers(text, repairs, tools);
  if (found) return found;
  const looksLikeCall = text.includes('<tool_call') || /\{\s*["']?\w+["']?\s*:/.test(text);
  return error(looksLikeCall ? 'bad_json' : 'no_call_or_answer', repairs);
}

/** Rung 1. Undefined where thinking never ends. */
function withoutThinking(text: string): { text: string; repaired: boolean } | undefined {
  let end = -1;
  for (const close of text.matchAll(CLOSING_THOUGHT)) end = close.index + close[0].length;
  const rest = end < 0 ? text : text.slice(end);
  if (OPENING_THOUGHT.test(rest)) return undefined;
  // A reply that begins by thinking is as it should be; thinking elsewhere is not.
  return { text: rest, repaired: end >= 0 && !/^\s*<(?:think|thinking|thought|reasoning)>/i.test(text) };
}

/** Tags as they are asked for, with bodies that may need the later rungs. */
function parse(text: string, repairs: string[], tools: readonly string[]): Reading | undefined {
  const calls = [...text.matchAll(CALL)];
  const answer = ANSWER.exec(text);
  const spelled = answer ? text.replace(ANSWER, '').match(CALL) : calls;
  if (answer && spelled?.length) return { kind: 'error', code: 'call_and_answer', repairs };
  if (answer) return answerOf(answer[1]!, repairs);
  if (calls.length === 0) return undefined;
  const body = bodyCall(calls[0]![1]!, tools);
  if (!body) return undefined;
  return {
    kind: 'call',
    call: body.call,
    more: calls.length - 1,
    repairs: [...repairs, ...body.repairs],
  };
}

/** The call in a carrier's body: exact, else repaired, else of another shape. */
function bodyCall(body: string, tools: readonly string[]): { call: Call; repairs: string[] } | undefined {
  const strict = parseJson(body.trim());
  const repairs: string[] = [];
  let value: Json;
  if (strict) value = strict.value;
  else {
    const inner = fences(body)[0];
    const repaired =
      inner === undefined ? repairJsonCall(body) : (parseJson(inner.trim()) ?? repairJsonCall(inner));
    if (!repaired) return undefined;
    if (inner !== undefined) repairs.push('carrier');
    if (inner === undefined || !parseJson(inner.trim())) repairs.push('json');
    value = repaired.value;
  }
  const exact = exactCall(value);
  // A right shape may still hold the arguments' other names.
  const call = shapedCall(value, tools);
  if (!call) return undefined;
  if (!exact || JSON.stringify(exact) !== JSON.stringify(call)) repairs.push('shape');
  return { call, repairs };
}

/** Rung 3: a tag that is not closed, fenced JSON, a bare object that names a tool. */
function otherCarriers(text: string, repairs: string[], tools: readonly string[]): Reading | undefined {
  const asCall = (body: string, more = 0): Reading | undefined => {
    const found = bodyCall(body, tools);
    return (
      found && {
        kind: 'call',
        call: found.call,
        more,
        repairs: [...repairs, 'carrier', ...found.repairs.filter((rung) => rung !== 'carrier')],
      }
    );
  };
  const openAnswer = OPEN_ANSWER.exec(text);
  const openCall = OPEN_CALL.exec(text);
  if (openAnswer && openCall) return { kind: 'error', code: 'call_and_answer', repairs };
  if (openCall) {
    const bodies = openCall[1]!.split('<tool_call>').map((body) => body.replace(/<\/?[\w|]*>?\s*$/, ''));
    const start = bodies[0]!.indexOf('{');
    const end = start < 0 ? undefined : balancedEnd(bodies[0]!, start).end;
    return (
      (end === undefined ? undefined : asCall(bodies[0]!.slice(start, end + 1), bodies.length - 1)) ??
      asCall(bodies[0]!, bodies.length - 1)
    );
  }
  if (openAnswer) return answerOf(openAnswer[1]!, [...repairs, 'carrier']);
  const known = (found: Reading | undefined): Reading | undefined =>
    found?.kind === 'call' && tools.includes(found.call.name) ? found : undefined;
  for (const block of fences(text)) {
    const found = known(asCall(block));
    if (found) return found;
  }
  for (let at = text.indexOf('{'); at >= 0;) {
    const { end } = balancedEnd(text, at);
    const found = known(asCall(text.slice(at, end === undefined ? undefined : end + 1)));
    if (found || end === undefined) return found;
    at = text.indexOf('{', end);
  }
  return undefined;
}

/** The endpoint's own calls. */
function ownCall(
  calls: NonNullable<StoredReply['toolCalls']>,
  text: string,
  tools: readonly string[],
  repairs: string[],
): Reading {
  if (ANSWER.test(text)) return { kind: 'error', code: 'call_and_answer', repairs };
  const [first] = calls;
  const argumentsText = first!.argumentsText.trim() === '' ? '{}' : first!.argumentsText;
  const strict = parseJson(argumentsText);
  const args = strict ?? repairJsonCall(argumentsText);
  const call = args && shapedCall({ name: first!.name, arguments: args.value }, tools);
  if (!call) return { kind: 'error', code: 'bad_json', repairs };
  const rungs = [...repairs];
  if (!strict) rungs.push('json');
  if (call.name !== first!.name || JSON.stringify(call.arguments) !== JSON.stringify(args.value))
    rungs.push('shape');
  return { kind: 'call', call, more: calls.length - 1, repairs: rungs };
}

/** The body of an answer and its citations. */
function answerOf(body: string, repairs: string[]): Reading {
  const rungs = [...repairs];
  const block = CITATIONS.exec(body);
  const text = body.replace(CITATIONS, '').trim();
  if (text === '') return { kind: 'error', code: 'empty', repairs };
  if (!block) return { kind: 'answer', answer: { text, citations: [] }, repairs: rungs };
  const source = block[1]!.trim();
  const strict = parseJson(source);
  // An object around the list lets the same repairs serve.
  const list = strict?.value ?? fieldOf(repairJsonCall(`{"citations": ${source}}`)?.value);
  if (!strict) rungs.push('json');
  return { kind: 'answer', answer: { text, citations: citationsOf(list) }, repairs: rungs };
}

const fieldOf = (value: Json | undefined): Json | undefined =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? value.citations : undefined;

/** The entries of a list of citations that are whole: at most 200. */
function citationsOf(list: Json | undefined): AgentAnswer['citations'] {
  if (!Array.isArray(list)) return [];
  return list.slice(0, 200).flatMap((item) => {
    if (item === null || typeof item !== 'object' || Array.isArray(item)) return [];
    const { url, quote } = item;
    return typeof url === 'string' && typeof quote === 'string' ? [{ url, quote }] : [];
  });
}

/** The text of a finalisation: the answer's, else the whole reply without thinking and stray tokens. */
export function readFinal(reply: StoredReply, tools: readonly string[]): Reading {
  const reading = readReply({ ...reply, finish: 'stop' }, tools);
  if (reading.kind === 'answer') return reading;
  const rest = withoutThinking(reply.text);
  const text = (rest?.text ?? '').replace(SPECIAL, ' ').trim();
  if (text === '') return { kind: 'error', code: 'empty', repairs: [] };
  const open = OPEN_ANSWER.exec(text);
  return answerOf(open ? open[1]! : text, ['untagged']);
}
