import type { ExtractToolsInput, ExtractToolsOutput } from '../roles/extract-tools.ts';
import type { RefineToolsInput } from '../roles/refine-tools.ts';
import { extractTool, type ExtractOptions } from './extract.ts';
import { extractFromPython } from './python-reasoning.ts';

/** extract-tools without a model. */
export const extractTools = (input: ExtractToolsInput): ExtractToolsOutput => make(input, {});

/** refine-tools without a model: the second round adds context to names, the third follows the question's order. */
export const refineTools = (input: RefineToolsInput): ExtractToolsOutput =>
  make(input, { contextNames: true, orderByMention: input.round >= 3 });

function make(input: ExtractToolsInput | RefineToolsInput, options: ExtractOptions): ExtractToolsOutput {
  const { question, reasoning, answer, analysis } = input;
  const made = analysis.python
    ? extractFromPython(question, analysis.python)
    : extractTool({ question, reasoning, answer }, options);
  if (made.ok) return { tools: [made.tool] };
  return { tools: [], declined: { code: made.code, message: made.message } };
}
