/** ARNs of the embedded platform's functions. */
export const functionArn = (name: string): string => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;

/** The embedded platform's function of a workflow's task. */
export const taskFunctionName = (workflow: string, task: string): string => `agentmill-${workflow}-${task}`;

const FUNCTION = /^arn:[^:]+:lambda:[^:]*:[^:]*:function:([^:]+)(?::([^:]+))?$/;

/**
 * The names under which the function that a definition names is looked up, in order (embedded-platform section 7): the
 * text itself, the text without its version or alias, the bare name.
 * @example functionCandidates('arn:aws:lambda:us-east-1:000000000000:function:f:live')
 *   // [that, 'arn:…:function:f', 'f']
 */
export function functionCandidates(text: string): string[] {
  const match = FUNCTION.exec(text);
  if (match) {
    const [, name, qualifier] = match;
    const unqualified = qualifier === undefined ? text : text.slice(0, -qualifier.length - 1);
    return [...new Set([text, unqualified, name!])];
  }
  return [...new Set([text, text.replace(/:[^:]+$/, '')])];
}
