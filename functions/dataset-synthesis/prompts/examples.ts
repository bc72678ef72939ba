/** A worked example as the prompts show it: labelled fields, then the reply as one line of JSON. */
export function exampleBlock(
  number: number,
  fields: Record<string, string | undefined>,
  reply: unknown,
): string {
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  return [`Example ${number}`, ...lines, `reply: ${JSON.stringify(reply)}`].join('\n');
}
