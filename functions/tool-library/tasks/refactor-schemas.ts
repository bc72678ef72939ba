import { z } from 'zod';
import { AGGREGATE_STAGES, BLUEPRINT_STAGES } from '../aggregate/steps.ts';
import { jobInput, RefSchema, stopInput } from './create-schemas.ts';

/** Shapes that the tasks of Blueprint and Aggregate take. */

export { jobInput, RefSchema, stopInput };

const count = z.int().nonnegative();

/** A line of `sibs/index.jsonl`. */
export const PartItems = z.array(z.strictObject({ part: count })).length(1);

export const RefactorStageSchema = z.enum([...BLUEPRINT_STAGES, ...AGGREGATE_STAGES]);

/** What every step of a part is told: where it stands, and the state of the step before. */
export const refactorStep = {
  ...jobInput,
  part: count,
  /** Pass of the blueprint, or round of the code. */
  round: z.int().min(1).max(3),
  /** Widening, or turn of a solver. */
  turn: count,
  state: RefSchema,
};

export const AppliedSchema = z.object({ state: RefSchema, more: count });
