import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Call } from '../records.ts';
import type { AgentConfig, AgentMemory, PackedEntry } from './types.ts';

/** The memory manager (specification section 5): what the prompt holds of earlier steps, in tokens. */

/** The share of Lmem at which the agent is warned. */
export const WARN_SHARE = 0.8;
/** Under this many tokens of room a result is left out whole. */
const LEAST_ROOM = 200;
/** Tokens kept free for notices and for what counting block by block misses. */
const MARGIN = 320;

export const emptyMemory = (): AgentMemory => ({ version: 0, noteTokens: 0, entries: [], locked: false });

export const memoryTokens = ({ noteTokens, entries }: AgentMemory): number =>
  entries.reduce((sum, { tokens }) => sum + tokens, noteTokens);

/** Tag-like text inside what is fenced could close the fence: its `<` is escaped. */
export const fenced = (text: string): string =>
  text.replace(/<(?=\/?(?:result|memory|note|question|person)\b)/gi, '&lt;');

/** An entry as the user message of the single-turn family shows it. */
export const packedEntry = (entry: Pick<PackedEntry, 'step' | 'call' | 'text'>): string =>
  `Step ${entry.step}: ${canonicalJson(entry.call)}\n<result id="r${entry.step}">\n${fenced(entry.text)}\n</result>`;

/** The effective sizes: everything is cut to nine tenths after a provider found a prompt too long. */
export function sizesOf(
  config: Pick<AgentConfig, 'context'>,
  overflowed: boolean,
): { L: number; Lmem: number; room: number } {
  const { L, Lmem, maxOutputTokens } = config.context;
  const factor = overflowed ? 0.9 : 1;
  const whole = Math.floor(L * factor);
  return { L: whole, Lmem: Math.floor(Lmem * factor), room: whole - maxOutputTokens - MARGIN };
}

/** Cuts a text at a line end so that it keeps at most `room` tokens, and says so; undefined where it fits. */
export function cut(text: string, room: number, count: (text: string) => number): string | undefined {
  const total = count(text);
  if (total <= room) return undefined;
  if (room < LEAST_ROOM) return '[omitted: no room]';
  const budget = room - 24;
  // The longest prefix that fits, by bisection over characters, then back to a line end.
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (count(text.slice(0, middle)) <= budget) low = middle;
    else high = middle - 1;
  }
  // Not between the halves of a surrogate pair.
  if (low > 0 && /[\ud800-\udbff]/.test(text[low - 1]!)) low--;
  const line = text.lastIndexOf('\n', low);
  const kept = text.slice(0, line > 0 ? line : low);
  return `${kept}\n[truncated: ${count(kept)} of ${total} tokens kept]`;
}

/**
 * Stores a step's result. It is cut so that the prompt stays under L - maxOutputTokens; a result that takes the memory
 * to Lmem or over is stored all the same and locks it.
 * @param fixed tokens of the prompt without the memory.
 */
export function store(
  memory: AgentMemory,
  added: { step: number; call: Call; text: string },
  config: AgentConfig,
  context: { fixed: number; overflowed: boolean },
): { memory: AgentMemory; cut: boolean } {
  const { room, Lmem } = sizesOf(config, context.overflowed);
  const shell = config.count(packedEntry({ ...added, text: '' }));
  const left = room - context.fixed - memoryTokens(memory) - shell;
  const shorter = cut(added.text, left, config.count);
  const text = shorter ?? added.text;
  const entry: PackedEntry = { step: added.step, call: added.call, text, tokens: 0 };
  entry.tokens = config.count(packedEntry(entry));
  const next = { ...memory, entries: [...memory.entries, entry] };
  next.locked ||= memoryTokens(next) >= Lmem;
  return { memory: next, cut: shorter !== undefined };
}

export type MemoryChange = { ok: true; memory: AgentMemory; erased: number } | { ok: false; why: string };

/** `clean_memory`: replaces entries and note, and unlocks. Refused if empty, no smaller, or over Lmem/2. */
export function clean(memory: AgentMemory, content: string, config: AgentConfig, Lmem: number): MemoryChange {
  const note = content.trim();
  if (note === '') return { ok: false, why: 'the content is empty' };
  const before = memoryTokens(memory);
  const tokens = config.count(note);
  if (tokens >= before)
    return { ok: false, why: `it has ${number(tokens)} tokens, what it replaces has ${number(before)}` };
  if (tokens > Lmem / 2)
    return {
      ok: false,
      why: `it has ${number(tokens)} tokens, at most ${number(Math.floor(Lmem / 2))} are allowed`,
    };
  return {
    ok: true,
    erased: memory.entries.length,
    memory: { version: memory.version + 1, note, noteTokens: tokens, entries: [], locked: false },
  };
}

/** `edit_result` and `delete_result` (no content): shrink one result; the memory unlocks once it is below Lmem. */
export function edit(
  memory: AgentMemory,
  resultId: string,
  content: string | undefined,
  config: AgentConfig,
  Lmem: number,
): MemoryChange {
  const at = memory.entries.findIndex(({ step }) => `r${step}` === resultId.trim());
  if (at < 0) {
    const ids = memory.entries.map(({ step }) => `r${step}`);
    return {
      ok: false,
      why: `there is no result ${resultId.slice(0, 20)}; there are ${ids.join(', ') || 'none'}`,
    };
  }
  const entry = memory.entries[at]!;
  if (content !== undefined && content.trim() === '') return { ok: false, why: 'the content is empty' };
  const text = content === undefined ? '[deleted]' : content.trim();
  const shorter: PackedEntry = { ...entry, text, shortened: true };
  shorter.tokens = config.count(packedEntry(shorter));
  if (shorter.tokens >= entry.tokens) {
    return {
      ok: false,
      why: `it makes the result ${number(shorter.tokens)} tokens, it has ${number(entry.tokens)} now`,
    };
  }
  const entries = memory.entries.with(at, shorter);
  const next = { ...memory, version: memory.version + 1, entries };
  next.locked = memory.locked && memoryTokens(next) >= Lmem;
  return { ok: true, memory: next, erased: 1 };
}

/** After an overflow at the provider: the longest results are cut until the whole fits again. */
export function shrink(
  memory: AgentMemory,
  config: AgentConfig,
  context: { fixed: number; overflowed: boolean },
): AgentMemory {
  const { room } = sizesOf(config, context.overflowed);
  let entries = memory.entries;
  for (let over = excess(); over > 0; over = excess()) {
    const [longest] = [...entries.keys()].sort((a, b) => entries[b]!.tokens - entries[a]!.tokens);
    const entry = longest === undefined ? undefined : entries[longest]!;
    if (!entry || entry.text === '[omitted: no room]') break;
    const text = cut(entry.text, config.count(entry.text) - over - 1, config.count) ?? '[omitted: no room]';
    const shorter = { ...entry, text, tokens: 0 };
    shorter.tokens = config.count(packedEntry(shorter));
    // A cut that gains nothing ends in leaving it out.
    entries = entries.with(longest!, shorter.tokens < entry.tokens ? shorter : omitted(entry, config));
  }
  return entries === memory.entries ? memory : { ...memory, version: memory.version + 1, entries };

  function excess(): number {
    return context.fixed + memoryTokens({ ...memory, entries }) - room;
  }
}

function omitted(entry: PackedEntry, config: AgentConfig): PackedEntry {
  const next = { ...entry, text: '[omitted: no room]', tokens: 0 };
  next.tokens = config.count(packedEntry(next));
  return next;
}

/** A count as people write it: `24,576`. */
export const number = (value: number): string => value.toLocaleString('en-US');
