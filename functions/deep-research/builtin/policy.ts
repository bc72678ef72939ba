import type { Rng } from '#shared/determinism/rng.ts';
import type { StepInput } from '../agent/prompts/step-input.ts';
export function researchStep(_input: StepInput, _rng: Rng): string {
  return '';
}
