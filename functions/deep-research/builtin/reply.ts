import type { Json } from '#shared/storage/ports.ts';

/** The replies of the algorithm, in the form that the agent asks of every model. */
export interface Reply {
  citations: { url: string; quote: string }[];
}

export const callText = (thought: string, name: string, args: Record<string, Json>): string =>
  `<think>${thought}</think>\n<tool_call>${JSON.stringify({ name, arguments: args })}</tool_call>`;

/** An answer with its sources, each once. */
export function answerText(thought: string, text: string, citations: Reply['citations']): string {
  const seen = new Set<string>();
  const once = citations.filter(({ url, quote }) => {
    const key = `${url}\n${quote}`;
    return !seen.has(key) && seen.add(key);
  });
  return `<think>${thought}</think>\n<answer>${text}<citations>${JSON.stringify(once)}</citations></answer>`;
}
