const OPEN = '<think>';
const CLOSE = '</think>';

/**
 * Moves a leading `<think>` block out of an answer (model-inference section 5, rule 2). Nothing else is touched, not
 * even white space. A block that never closes is reasoning to its end: nothing was answered.
 */
export function splitThinking(text: string): { text: string; reasoning?: string } {
  const start = text.length - text.trimStart().length;
  if (!text.startsWith(OPEN, start)) return { text };
  const end = text.indexOf(CLOSE, start);
  const body = text.slice(start + OPEN.length, end < 0 ? undefined : end);
  const rest = end < 0 ? '' : text.slice(0, start) + text.slice(end + CLOSE.length);
  return body === '' ? { text: rest } : { text: rest, reasoning: body };
}
