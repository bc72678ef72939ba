/** How a reply must look. */
export const replyRule = (shape: string): string =>
  `Reply with one JSON object and nothing around it:\n${shape}\nWrite "thought" first: one or two short sentences.`;
