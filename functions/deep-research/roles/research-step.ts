import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { defineRole, type Role } from '#shared/models/role.ts';
import { renderStep, renderTools } from '../agent/prompts/render.ts';
import { StepInputSchema, type StepInput } from '../agent/prompts/step-input.ts';

/** Raise with every change of the builtin algorithm that can change a reply: cached replies of the old one expire. */
const BUILTIN_VERSION = 1;

/** A step of every kind of prompt, so that the role's version follows whatever the prompts say. */
const sample = (patch: Partial<StepInput>): StepInput => ({
  family: 'single_turn',
  kind: 'short',
  question: 'q',
  notes: ['n'],
  asOf: '2026-01-01',
  entityNoun: 'entry',
  tools: ['search_internet', 'browse_page', 'code_interpreter', 'clean_memory'],
  memory: {
    note: 'n',
    entries: [{ step: 1, call: { name: 'search_internet', arguments: { query: 'q' } }, text: 'r' }],
    tokens: 1,
    limit: 2,
    locked: false,
  },
  notices: ['n'],
  step: 2,
  maxSteps: 3,
  final: false,
  explore: false,
  ...patch,
});

const SAMPLES: StepInput[] = (['single_turn', 'native'] as const).flatMap((family) =>
  (['short', 'report', 'math', 'code'] as const).flatMap((kind) => [
    sample({ family, kind }),
    sample({ family, kind, final: true }),
  ]),
);

/**
 * One step of the agent: the raw reply, thinking, call or answer and all, which the agent reads by itself; so its
 * output is text and nothing constrains it.
 */
export const researchStepRole: Role<StepInput, string> = defineRole({
  name: 'deep-research/research-step',
  version: hashOf([SAMPLES.map((input) => [renderStep(input), renderTools(input)]), BUILTIN_VERSION]).slice(
    0,
    12,
  ),
  input: StepInputSchema,
  output: z.string(),
  params: { temperature: 0.6, maxOutputTokens: 4096 },
  latex: false,
  render: renderStep,
  builtin: async (input, rng) => (await import('../builtin/policy.ts')).researchStep(input, rng),
});
