import { hashOf } from '#shared/determinism/hash.ts';
import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { PartSources } from '../blueprint/parts.ts';
import type { ToolLibraryConfig } from '../config.ts';
import type { SourceTool } from '../refactor/forms.ts';
import { patchCodeRole, type PatchCodeInput } from '../roles/patch-code.ts';
import type { Code, Design, SourceView } from '../roles/refactoring.ts';
import { writeCodeRole, type WriteCodeInput } from '../roles/write-code.ts';
import { draftOf, type Draft } from './draft.ts';
import { shownCases, shownOf } from './shown.ts';
import { liveSibs, type SibState } from './state.ts';

/** The code agent's requests and replies: write-code first, patch-code with the feedback of the round before. */

const requestId = ({ sib }: SibState, stage: string): string => `${sib.id}:${stage}`;

/** Requests of a round, and the drafts they carry, by scenario. */
export interface WritePlan {
  requests: InferRequest[];
  drafts: Map<string, Draft>;
}

export async function writeRequests(
  states: readonly SibState[],
  part: PartSources,
  config: ToolLibraryConfig,
): Promise<WritePlan> {
  const requests: InferRequest[] = [];
  const drafts = new Map<string, Draft>();
  for (const state of liveSibs(states)) {
    const { sib, code } = state;
    const left = new Set(state.ejected);
    const sources = sib.coveredToolIds.flatMap((id): SourceTool[] => {
      const source = part.sources.get(id);
      return source && !left.has(id) ? [source] : [];
    });
    const draft = await draftOf(sources, new Set(state.plain), shownCases(state, part));
    drafts.set(sib.id, draft);
    const shown = {
      sib: designView(state),
      tools: viewsOf(sib.coveredToolIds, part),
      analysis: { draft: draft.code },
    };
    const params = { sample: state.round - 1 };
    if (state.round > 1 && code) {
      const input: PatchCodeInput = { ...shown, code, feedback: state.feedback };
      requests.push(
        requestFor(patchCodeRole, input, {
          id: requestId(state, 'patch-code'),
          model: config.models['patch-code'],
        }),
      );
    } else {
      // Code that could not be read is asked for again.
      const input: WriteCodeInput = shown;
      requests.push(
        requestFor(writeCodeRole, input, {
          id: requestId(state, 'write-code'),
          model: config.models['write-code'],
          params,
        }),
      );
    }
  }
  return { requests, drafts };
}

export const designView = ({ sib }: SibState): Design => ({
  name: sib.name,
  description: sib.description,
  classes: sib.classes as Design['classes'],
  functions: sib.functions as Design['functions'],
  covered: sib.coveredToolIds.map((_, n) => n + 1),
});

export const viewsOf = (ids: readonly string[], part: PartSources): SourceView[] =>
  ids.map((id) => {
    const { name, code } = part.tools.get(id)!;
    const all = part.cases.get(id) ?? [];
    const cases = shownOf(all).map(({ id: caseId, question, setup, call }) => ({
      caseId,
      question,
      ...(setup === undefined ? {} : { setup }),
      call,
    }));
    const further = all.length - cases.length;
    return { name, code, cases, ...(further === 0 ? {} : { further }) };
  });

/** Takes the code in; where a reply cannot be read, the round is lost and says why. The states given are changed. */
export function applyWrite(
  states: readonly SibState[],
  replies: ReadonlyMap<string, InferResult>,
  drafts: ReadonlyMap<string, Draft>,
): void {
  for (const state of liveSibs(states)) {
    const patched = state.round > 1 && state.code !== undefined;
    const reply = replies.get(requestId(state, patched ? 'patch-code' : 'write-code'));
    state.executions = [];
    state.attempts = [];
    state.adapters = {};
    delete state.gated;
    if (reply?.status !== 'ok') {
      const problem = reply?.error
        ? `The reply could not be used: ${reply.error.message}`
        : 'There was no reply.';
      state.gated = {
        functions: [],
        calls: [],
        problems: [{ problem, suggestion: 'Reply in the form asked for.' }],
      };
      continue;
    }
    state.code = reply.output as Code;
    const draft = drafts.get(state.sib.id);
    // What the draft's calls are made by is known exactly only while the code is the draft.
    if (draft && hashOf(draft.code.functions) === hashOf(state.code.functions))
      state.adapters = draft.adapters;
  }
}
