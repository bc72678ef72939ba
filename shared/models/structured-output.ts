import { balancedEnd, candidatesOf, type Candidate } from './structured-output/extract.ts';
import { guardEscapes } from './structured-output/escape-guard.ts';
import { repairJson } from './structured-output/repair.ts';
import { parseStrict } from './structured-output/strict.ts';
import { splitThinking } from './structured-output/think.ts';
import { decodeToolCalls } from './structured-output/tool-calls.ts';
import { faultsOf, validatorOf, type OutputFault } from './structured-output/validate.ts';
import type { InferRequest, ModelEntry, OutputSpec, ProviderReply, ToolCall } from './types.ts';

export { reaskMessages } from './structured-output/reask.ts';
export { validatorOf, type OutputFault } from './structured-output/validate.ts';

/** What became of an answer. `repairs` names what had to be done to it, in the order it was done. */
export type Decoded =
  | {
      ok: true;
      output?: unknown;
      text: string;
      reasoning?: string;
      toolCalls?: ToolCall[];
      repairs: string[];
    }
  | {
      ok: false;
      code: 'TRUNCATED' | 'PARSE_ERROR' | 'SCHEMA_INVALID' | 'EMPTY' | 'CONTENT_FILTERED';
      /** The answer as it came. */
      raw: string;
      errors: OutputFault[];
      repairs: string[];
      reasoning?: string;
    };

/**
 * Turns an endpoint's answer into text, tool calls or the output the request's schema describes
 * (model-inference section 5). Never throws on any answer; never accepts what is not wholly in it.
 * @throws InvalidInput only when the request's schema itself is unusable.
 */
export function decodeOutput(
  reply: ProviderReply,
  request: InferRequest,
  model: Pick<ModelEntry, 'provider'>,
): Decoded {
  // Decoders of streams and of JSON let half a surrogate pair through.
  const raw = reply.text.toWellFormed();
  const thought = splitThinking(raw);
  const reasoning = [reply.reasoning?.toWellFormed(), thought.reasoning].filter(Boolean).join('\n');
  const extra = reasoning ? { reasoning } : {};
  const refuse = (code: (Decoded & { ok: false })['code'], errors: OutputFault[] = []): Decoded => ({
    ok: false,
    code,
    raw,
    errors,
    repairs: [],
    ...extra,
  });

  if (reply.finish === 'content_filter') return refuse('CONTENT_FILTERED');
  if (reply.toolCalls && reply.toolCalls.length > 0) {
    const toolCalls = decodeToolCalls(reply.toolCalls, request.tools ?? []);
    if (reply.finish === 'length' && toolCalls.some(({ error }) => error === 'UNPARSEABLE'))
      return refuse('TRUNCATED');
    return { ok: true, text: thought.text, toolCalls, repairs: [], ...extra };
  }
  if (thought.text.trim() === '') return refuse(reply.finish === 'length' ? 'TRUNCATED' : 'EMPTY');
  if (!request.output) return { ok: true, text: thought.text, repairs: [], ...extra };

  // An algorithm of ours writes exact JSON: there a backslash means what it says.
  const guarded = request.output.latex !== false && model.provider !== 'builtin';
  const found = findOutput(thought.text, request.output, guarded, reply.finish === 'length');
  if (found.ok)
    return { ok: true, output: found.value, text: thought.text, repairs: found.repairs, ...extra };
  return refuse(reply.finish === 'length' ? 'TRUNCATED' : found.code, found.errors);
}

/**
 * Makes sure that a request's schemas can be validated against, before anything is paid for an answer.
 * @throws InvalidInput
 */
export function checkSchemas({ output, tools }: InferRequest): void {
  if (output) validatorOf(output.schema);
  for (const { parameters } of tools ?? []) validatorOf(parameters);
}

type Found =
  | { ok: true; value: unknown; repairs: string[] }
  | { ok: false; code: 'PARSE_ERROR' | 'SCHEMA_INVALID'; errors: OutputFault[] };

const NOT_JSON: OutputFault = { path: '/', message: 'is not JSON' };

/** Rules 3 to 8: the first candidate to validate wins; else the first that can be repaired is. */
function findOutput(text: string, { schema }: OutputSpec, guarded: boolean, cut: boolean): Found {
  let errors: OutputFault[] | undefined;
  let repairable: { text: string; repairs: string[] } | undefined;
  for (const candidate of cut ? [{ text, kind: 'whole' } as const] : candidatesOf(text)) {
    const guard = guarded ? guardEscapes(candidate.text) : { text: candidate.text, doubled: 0 };
    const repairs = [...repairOf(candidate), ...(guard.doubled > 0 ? ['escape'] : [])];
    const parsed = parseStrict(guard.text);
    if (!parsed) {
      if (!repairable && isBalanced(guard.text)) repairable = { text: guard.text, repairs };
      continue;
    }
    const faults = faultsOf(parsed.value, schema);
    if (faults.length === 0) return { ok: true, value: parsed.value, repairs };
    errors ??= faults;
  }
  const repaired = repairable && !cut ? repairJson(repairable.text) : undefined;
  if (repaired) {
    const faults = faultsOf(repaired.value, schema);
    if (faults.length === 0)
      return { ok: true, value: repaired.value, repairs: [...repairable!.repairs, ...repaired.repairs] };
    errors ??= faults;
  }
  return errors
    ? { ok: false, code: 'SCHEMA_INVALID', errors }
    : { ok: false, code: 'PARSE_ERROR', errors: [NOT_JSON] };
}

/** Whether a text is one bracketed value from its first character to its last. */
function isBalanced(text: string): boolean {
  const bare = text.trim();
  return /^[{[]/.test(bare) && balancedEnd(bare, 0).end === bare.length - 1;
}

/** What taking a candidate out of its answer is called. */
function repairOf({ kind }: Candidate): string[] {
  return kind === 'whole' ? [] : [kind === 'fence' ? 'fence' : 'preamble'];
}
