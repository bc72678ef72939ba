import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { SandboxRequest } from '#shared/sandbox/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { compareAnswer } from '#shared/text/answers.ts';
import { keywordCall } from '#shared/library/python.ts';
import type { ToolLibraryConfig } from '../config.ts';
import {
  solveWithToolsRole,
  type SolveWithToolsInput,
  type SolveWithToolsOutput,
} from '../roles/solve-with-tools.ts';
import { matteringTurns } from './evidence.ts';
import { errorText } from './outcomes.ts';
import type { Limits, RunBatch } from './run-cases.ts';
import { gatedDrafts, goldOf, idOf, needsSolving, type Gated, type Item, type Transcript } from './state.ts';
import { changedValue, valueText } from './values.ts';

/** Turns of re-solving a question with its tools, as a reducer: what to ask, and what the replies make (section 4). */

/** Opens this round's transcripts where there are none: every model as often as the job says. */
export function openTranscripts(items: readonly Item[], config: ToolLibraryConfig): void {
  const { repeats } = config.input.solve;
  for (const item of items) {
    if (!needsSolving(item) || item.transcripts.length > 0) continue;
    item.transcripts = config.solvers.flatMap((model, at) =>
      Array.from({ length: repeats }, (_, sample) => ({
        run: at * repeats + sample,
        model,
        sample: (item.round - 1) * repeats + sample,
        turns: [],
        open: true,
      })),
    );
  }
}

const openOf = (item: Item): Transcript[] =>
  needsSolving(item) ? item.transcripts.filter(({ open }) => open) : [];

export const openCount = (items: readonly Item[]): number =>
  items.reduce((sum, item) => sum + openOf(item).length, 0);

const requestId = (item: Item, transcript: Transcript): string =>
  `${idOf(item)}.${transcript.run}:solve-with-tools`;

/** The request of one transcript's next turn. */
function solveRequest(item: Item, transcript: Transcript): InferRequest {
  const dialogue = transcript.turns.map(({ call, value, error }) => ({
    call,
    ...(value === undefined ? {} : { value }),
    ...(error === undefined ? {} : { error }),
  }));
  if (transcript.counterfactual) {
    const last = dialogue.at(-1)!;
    dialogue[dialogue.length - 1] = { ...last, value: transcript.counterfactual.changed };
  }
  const { row } = item.row;
  const input: SolveWithToolsInput = {
    question: row.question,
    ...('options' in row && row.options ? { options: row.options } : {}),
    tools: gatedDrafts(item).map(({ gated }) => ({
      name: gated.name,
      description: gated.description,
      parameters: gated.schema,
    })),
    dialogue,
  };
  const params = { sample: transcript.sample };
  return requestFor(solveWithToolsRole, input, {
    id: requestId(item, transcript),
    model: transcript.model,
    params,
  });
}

export const solveRequests = (items: readonly Item[]): InferRequest[] =>
  items.flatMap((item) => openOf(item).map((transcript) => solveRequest(item, transcript)));

interface CallToRun {
  item: Item;
  transcript: Transcript;
  call: { name: string; arguments: Record<string, Json> };
  gated: Gated;
}

/** Takes the replies in: answers close transcripts, calls are run and their values read in the next turn. */
export async function applySolve(
  items: readonly Item[],
  replies: ReadonlyMap<string, InferResult>,
  turn: number,
  config: ToolLibraryConfig,
  limits: Limits,
  run: RunBatch,
): Promise<void> {
  const calls = new Map<string, CallToRun>();
  for (const item of items) {
    for (const transcript of openOf(item)) {
      const reply = replies.get(requestId(item, transcript));
      const output = reply?.status === 'ok' ? (reply.output as SolveWithToolsOutput) : undefined;
      if (transcript.counterfactual) closeCounterfactual(transcript, output);
      else if (output?.call) takeCall(item, transcript, output.call as CallToRun['call'], calls);
      else
        closeWith(item, transcript, output?.answer === undefined ? undefined : String(output.answer), config);
    }
  }
  const results = await run(
    [...calls].map(([id, { call, gated }]): SandboxRequest => ({
      ...limits,
      id,
      code: gated.code,
      call: callText(call),
    })),
  );
  for (const [id, { transcript, call, gated }] of calls) {
    const result = results.get(id);
    const { toolId } = gated;
    if (result?.ok) {
      const value = valueText(result.value).slice(0, 4000);
      transcript.turns.push({ call, value, raw: result.value, toolId });
    } else {
      transcript.turns.push({
        call,
        error: result ? errorText(result.error) : 'The sandbox gave no result.',
        toolId,
      });
    }
  }
  if (turn < config.input.solve.maxTurns) return;
  for (const item of items)
    for (const transcript of openOf(item)) closeWith(item, transcript, undefined, config);
}

function takeCall(
  item: Item,
  transcript: Transcript,
  call: CallToRun['call'],
  calls: Map<string, CallToRun>,
): void {
  const gated = gatedDrafts(item).find(({ gated: tool }) => tool.name === call.name)?.gated;
  const problem = gated
    ? argumentProblem(gated, call.arguments)
    : `There is no tool ${call.name.slice(0, 100)}.`;
  if (problem !== undefined || !gated) transcript.turns.push({ call, error: problem! });
  else calls.set(requestId(item, transcript), { item, transcript, call, gated });
}

/** Why arguments do not fit a schema's names; undefined where they do. Types are for Python to refuse. */
function argumentProblem({ schema, name }: Gated, args: Record<string, Json>): string | undefined {
  const properties = schema.properties as Record<string, Json>;
  const unknown = Object.keys(args).find((key) => !Object.hasOwn(properties, key));
  if (unknown !== undefined) return `${name} has no parameter ${unknown.slice(0, 100)}.`;
  const missing = (schema.required as string[]).find((key) => !Object.hasOwn(args, key));
  return missing === undefined ? undefined : `${name} needs ${missing}.`;
}

export const callText = ({ name, arguments: args }: CallToRun['call']): string => keywordCall(name, args);

function closeWith(
  item: Item,
  transcript: Transcript,
  answer: string | undefined,
  config: ToolLibraryConfig,
): void {
  transcript.open = false;
  transcript.right = false;
  if (answer === undefined) return;
  transcript.answer = answer.slice(0, 4000);
  const { row } = item.row;
  const options = 'options' in row && row.options ? { options: row.options } : {};
  transcript.right = compareAnswer(goldOf(item), answer, options).equal;
  const last = transcript.turns.at(-1);
  if (!config.input.solve.counterfactual || !transcript.right || last?.value === undefined) return;
  if (matteringTurns(transcript).length === 0) return;
  transcript.counterfactual = { changed: changedValue(last.value) };
  transcript.open = true;
}

function closeCounterfactual(transcript: Transcript, output: SolveWithToolsOutput | undefined): void {
  transcript.open = false;
  const answer = output?.answer === undefined ? undefined : String(output.answer);
  const voided = answer !== undefined && compareAnswer(transcript.answer!, answer).equal;
  transcript.counterfactual = {
    ...transcript.counterfactual!,
    ...(answer === undefined ? {} : { answer }),
    voided,
  };
}
