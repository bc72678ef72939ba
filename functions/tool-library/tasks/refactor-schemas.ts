import { z } from 'zod';
import { AGGREGATE_STAGES, BLUEPRINT_STAGES } from '../aggregate/steps.ts';
import { jobInput, RefSchema, stepInput, stopInput } from './create-schemas.ts';

/** Shapes that the tasks of Blueprint and Aggregate take. */

export { jobInput, RefSchema, stopInput };

const count = z.int().nonnegative();

/** A line of `sibs/index.jsonl`. */
export const PartItems = z.array(z.strictObject({ part: count })).length(1);

export const RefactorStageSchema = z.enum([...BLUEPRINT_STAGES, ...AGGREGATE_STAGES]);

/** What every step of a part is told; `round` is the pass of the blueprint or the round of the code, `turn` the widening or a solver's turn. */
export const refactorStep = stepInput;

export const AppliedSchema = z.object({ state: RefSchema, more: count });
