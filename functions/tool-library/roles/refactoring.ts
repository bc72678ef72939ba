import { z } from 'zod';

/** Shapes that the refactoring roles share: a scenario (SIB), the code written for it, and what was said of it. */

export const ClassDesignSchema = z.object({ name: z.string(), description: z.string().default('') });
export const FunctionDesignSchema = z.object({
  name: z.string(),
  description: z.string().default(''),
  parameters: z.array(z.string()).max(40).default([]),
});

/** A scenario as designed; `covered` are numbers of tools, from 1. */
export const DesignSchema = z.object({
  name: z.string().min(1),
  description: z.string().default(''),
  classes: z.array(ClassDesignSchema).max(40).default([]),
  functions: z.array(FunctionDesignSchema).max(40).default([]),
  covered: z.array(z.int()).max(1000),
});
export type Design = z.infer<typeof DesignSchema>;
export const DESIGN_REPLY =
  '{"name": string, "description": string, "classes": [{"name": string, "description": string}], "functions": [{"name": string, "description": string, "parameters": [string]}], "covered": [integer]}';

/** A tool of a cluster as the designing roles see it; `number` counts from 1 in the cluster. */
export const NumberedToolSchema = z.strictObject({
  number: z.int().positive(),
  name: z.string(),
  description: z.string(),
  code: z.string(),
});
export type NumberedTool = z.infer<typeof NumberedToolSchema>;

const MAX_CODE = 4000;

export const numberedTools = (tools: readonly NumberedTool[]): string =>
  tools.map(({ number, code }) => `# tool ${number}\n${code.slice(0, MAX_CODE)}`).join('\n\n');

export const designText = (design: Design): string => JSON.stringify(design, null, 1);

/** A source tool with its cases, as the code agent sees it: what it must give is not shown. */
export const SourceViewSchema = z.strictObject({
  name: z.string(),
  code: z.string(),
  cases: z.array(
    z.strictObject({
      caseId: z.string(),
      question: z.string(),
      setup: z.string().optional(),
      call: z.string(),
    }),
  ),
  /** Cases that are not shown: they are called like those that are. */
  further: z.int().positive().optional(),
});
export type SourceView = z.infer<typeof SourceViewSchema>;

export const sourcesText = (sources: readonly SourceView[]): string =>
  sources
    .map(({ code, cases, further }) => {
      const calls = cases.map(
        ({ caseId, setup, call }) => `# case ${caseId}: ${setup ? `${setup}; ` : ''}${call}`,
      );
      const rest = further === undefined ? [] : [`# and ${further} further cases, called like these`];
      return [code.slice(0, MAX_CODE), ...calls, ...rest].join('\n');
    })
    .join('\n\n');

/** Code of a scenario: a module of classes, helpers and constants, public functions, and a call of them for each case. */
export const CodeSchema = z.object({
  module: z.string().max(65_536).default(''),
  functions: z.array(z.object({ name: z.string(), code: z.string().max(65_536) })).max(40),
  mapping: z
    .array(z.object({ caseId: z.string(), setup: z.string().optional(), call: z.string() }))
    .max(5000),
});
export type Code = z.infer<typeof CodeSchema>;
export const CODE_REPLY =
  '{"module": string, "functions": [{"name": string, "code": string}], "mapping": [{"caseId": string, "setup"?: string, "call": string}]}';

export const codeText = ({ module, functions, mapping }: Code): string =>
  [
    ...(module.trim() === '' ? [] : [`# module\n${module}`]),
    ...functions.map(({ code }) => code),
    ...mapping.map(({ caseId, setup, call }) => `# case ${caseId}: ${setup ? `${setup}; ` : ''}${call}`),
  ].join('\n\n');

/** What is wrong with code, and what to do: it goes into the next request word for word. */
export const FeedbackItemSchema = z.object({
  caseId: z.string().optional(),
  problem: z.string(),
  suggestion: z.string().default(''),
});
export type FeedbackItem = z.infer<typeof FeedbackItemSchema>;

export const feedbackItems = (items: readonly FeedbackItem[]): string =>
  items
    .map(({ caseId, problem, suggestion }) =>
      [
        caseId === undefined ? '' : `case ${caseId}: `,
        problem,
        suggestion === '' ? '' : `\n  suggestion: ${suggestion}`,
      ].join(''),
    )
    .join('\n');

export const CODE_RULES = `- Implement every function of the scenario. One call of one function answers one case.
- The module holds what functions share: classes, private helpers (names begin with _), constants. Each public function
  stands alone with its own imports; it may use the module and nothing of another public function.
- Parameters are flat: numbers, texts, booleans, lists of them. Keep them few and named for what they mean; give those
  that most sources fix a default. No *args, no **kwargs, no switch that chooses between unrelated formulas.
- Every function has a Google-style docstring: what it computes and for which subjects, then Args and Returns.
- The mapping has one entry for every case you were shown, by its id: the call that replaces the source's call, with
  arguments by keyword. The values in it come from the source's call. Further cases of a tool are called the same way
  with their own values, so use one function for all cases of a tool.
- The functions must agree with their sources on other arguments too: they are compared on changed ones. Never look up
  a case's inputs, never return a remembered value, never catch an exception to hide it.`;
