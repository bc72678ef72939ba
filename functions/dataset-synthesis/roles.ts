import { hashOf } from '#shared/determinism/hash.ts';
import { defineRole, outputSchema, type Role } from '#shared/models/role.ts';
import { CHECK_EXAMPLES, FILTER_EXAMPLES, GENERATE_EXAMPLES, IDENTIFY_EXAMPLES } from './few-shots/index.ts';
import { CENTROID_TERMS, PERSONAS } from './lexicon/index.ts';
import { CHECK_SYSTEM, renderCheck } from './prompts/check.ts';
import { FILTER_SYSTEM, renderFilter } from './prompts/filter.ts';
import { GENERATE_SYSTEM, renderGenerate } from './prompts/generate.ts';
import { IDENTIFY_SYSTEM, renderIdentify } from './prompts/identify.ts';
import {
  CheckInputSchema,
  CheckOutputSchema,
  FilterInputSchema,
  FilterOutputSchema,
  GenerateInputSchema,
  GenerateOutputSchema,
  IdentifyInputSchema,
  IdentifyOutputSchema,
  type CheckInput,
  type CheckOutput,
  type FilterInput,
  type FilterOutput,
  type GenerateInput,
  type GenerateOutput,
  type IdentifyInput,
  type IdentifyOutput,
} from './records.ts';

export { examplesFor } from './few-shots/index.ts';

/** The four model roles of dataset-synthesis (specification section 5). */

/** Hash of every worked example. */
export const fewShotHash = hashOf([FILTER_EXAMPLES, IDENTIFY_EXAMPLES, GENERATE_EXAMPLES, CHECK_EXAMPLES]);

/** Hash of the word lists that the builtin identify uses. */
export const lexiconHash = hashOf([CENTROID_TERMS, PERSONAS]);

/** Raise with every change of a builtin algorithm that can change an output: cached answers of the old one expire. */
const BUILTIN_VERSION = 1;

/** A role's version: a hash of all that makes its answers. */
function versioned<Input, Output>(role: Role<Input, Output>, content: unknown): Role<Input, Output> {
  const schema = outputSchema(role as unknown as Role);
  return {
    ...role,
    version: hashOf([content, schema, role.params, BUILTIN_VERSION, lexiconHash]).slice(0, 12),
  };
}

/** Is a document worth a question? */
export const filterRole: Role<FilterInput, FilterOutput> = versioned(
  defineRole({
    name: 'dataset-synthesis/filter',
    version: '',
    input: FilterInputSchema,
    output: FilterOutputSchema,
    params: { temperature: 0, maxOutputTokens: 512 },
    latex: false,
    render: renderFilter,
    builtin: async (input) => (await import('./builtin/index.ts')).filter(input),
  }),
  FILTER_SYSTEM,
);

/** Its domain and audiences. */
export const identifyRole: Role<IdentifyInput, IdentifyOutput> = versioned(
  defineRole({
    name: 'dataset-synthesis/identify',
    version: '',
    input: IdentifyInputSchema,
    output: IdentifyOutputSchema,
    params: { temperature: 0, maxOutputTokens: 512 },
    latex: false,
    render: renderIdentify,
    builtin: async (input, rng) => (await import('./builtin/index.ts')).identify(input, rng),
  }),
  IDENTIFY_SYSTEM,
);

/** One question with its answer, for one audience. */
export const generateRole: Role<GenerateInput, GenerateOutput> = versioned(
  defineRole({
    name: 'dataset-synthesis/generate',
    version: '',
    input: GenerateInputSchema,
    output: GenerateOutputSchema,
    params: { temperature: 0.7, maxOutputTokens: 1024 },
    latex: true,
    render: renderGenerate,
    builtin: async (input) => (await import('./builtin/index.ts')).generate(input),
  }),
  [GENERATE_SYSTEM, fewShotHash],
);

/** Is the answer right, hidden and the question clear? */
export const checkRole: Role<CheckInput, CheckOutput> = versioned(
  defineRole({
    name: 'dataset-synthesis/check',
    version: '',
    input: CheckInputSchema,
    output: CheckOutputSchema,
    params: { temperature: 0, maxOutputTokens: 512 },
    latex: true,
    render: renderCheck,
    builtin: async (input) => (await import('./builtin/index.ts')).check(input),
  }),
  CHECK_SYSTEM,
);

export const roles = [filterRole, identifyRole, generateRole, checkRole] as unknown as Role[];
