/** A sequence of this many tokens that stands in a reply this often means the model is stuck. */
const SEQUENCE = 20;
const TIMES = 5;
/** Share of replacement characters above which a reply is noise. */
const NOISE = 0.05;

/** Words and marks; a row of one mark counts once, for rules and tables are long. */
const TOKEN = /[\p{L}\p{N}]+|([^\s\p{L}\p{N}])\1*/gu;

/** Whether a reply is noise or repeats itself: it is worth sampling anew (specification section 4). */
export function isGarbled(text: string): boolean {
  const noise = text.split('\ufffd').length - 1;
  if (noise > NOISE * text.length) return true;
  const tokens = text.match(TOKEN) ?? [];
  if (tokens.length < SEQUENCE * TIMES) return false;
  const last = new Map<string, { end: number; times: number }>();
  for (let at = 0; at + SEQUENCE <= tokens.length; at++) {
    const sequence = tokens.slice(at, at + SEQUENCE).join(' ');
    const known = last.get(sequence);
    // Overlapping repeats are one.
    if (known && known.end > at) continue;
    const times = (known?.times ?? 0) + 1;
    if (times >= TIMES) return true;
    last.set(sequence, { end: at + SEQUENCE, times });
  }
  return false;
}
