import type { Evidence } from '#shared/library/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { compareAnswer } from '#shared/text/answers.ts';
import type { Transcript } from './state.ts';
import { entersInto } from './values.ts';

/** Which calls of a transcript led to its right answer (section 9). */

/**
 * Indices of the turns whose value is the answer, or enters a later call in a chain that reaches it. None where the
 * answer is wrong, or stood although the value was changed.
 */
export function matteringTurns(transcript: Transcript): number[] {
  const { turns, answer } = transcript;
  if (transcript.right !== true || answer === undefined || transcript.counterfactual?.voided === true)
    return [];
  const mattering: number[] = [];
  for (let n = turns.length - 1; n >= 0; n--) {
    const { raw, error, call } = turns[n]!;
    if (raw === undefined || error !== undefined) continue;
    const isAnswer = compareAnswer(answer, raw).equal;
    const feeds = mattering.some(
      (later) => later > n && entersInto(raw, turns[later]!.call.arguments as Json),
    );
    if ((isAnswer || feeds) && call) mattering.push(n);
  }
  return mattering.reverse();
}

/** What the transcripts show of one tool. */
export function evidenceOf(toolId: string, transcripts: readonly Transcript[]): Evidence {
  let called = 0;
  let mattered = 0;
  let rightWithoutCall = 0;
  for (const transcript of transcripts) {
    const calls = transcript.turns.filter((turn) => turn.toolId === toolId && turn.error === undefined);
    if (calls.length > 0) called++;
    if (matteringTurns(transcript).some((n) => transcript.turns[n]!.toolId === toolId)) mattered++;
    else if (transcript.right === true && calls.length === 0) rightWithoutCall++;
  }
  return { runs: transcripts.length, called, mattered, rightWithoutCall };
}
