import type { Case, Tool } from '#shared/library/types.ts';
import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { caseId } from '../ids.ts';
import { REJECT_CODES } from '../records.ts';
import { judgeToolsRole, type JudgeToolsOutput } from '../roles/judge-tools.ts';
import { evidenceOf, matteringTurns } from './evidence.ts';
import { compareAnswer } from '#shared/text/answers.ts';
import { callText } from './solving.ts';
import {
  gatedDrafts,
  goldOf,
  goldText,
  idOf,
  liveDrafts,
  type Draft,
  type Gated,
  type Item,
  type Refusal,
} from './state.ts';

/** What ends a round: the judge's verdict, admission, or another round (section 4). */

/** Recorded cases of one tool beside the one it came with. */
const MAX_RECORDED = 8;

const isJudged = (item: Item): boolean =>
  item.status === 'live' && item.validation !== 'execute' && gatedDrafts(item).length > 0;

const judgeId = (item: Item): string => `${idOf(item)}:judge-tools`;

/** Every item that was solved, or not, with its tools: verdict, and improvements for the next round. */
export const judgeRequests = (items: readonly Item[], config: ToolLibraryConfig): InferRequest[] =>
  items.filter(isJudged).map((item) => {
    const input = {
      question: item.row.row.question,
      answer: goldText(item),
      tools: gatedDrafts(item).map(({ gated }) => ({
        name: gated.name,
        code: gated.code,
        evidence: evidenceOf(gated.toolId, item.transcripts),
      })),
      transcripts: item.transcripts.map(({ model, turns, answer, right }) => ({
        model,
        turns: turns.map(({ call, value, error }) => ({
          call,
          ...(value === undefined ? {} : { value }),
          ...(error === undefined ? {} : { error }),
        })),
        ...(answer === undefined ? {} : { answer }),
        right: right === true,
      })),
    };
    return requestFor(judgeToolsRole, input, { id: judgeId(item), model: config.models['judge-tools'] });
  });

/** Admits what executed, or what the judge found effective and the evidence bears out. */
export function applyJudge(
  items: readonly Item[],
  replies: ReadonlyMap<string, InferResult>,
  config: ToolLibraryConfig,
): void {
  for (const item of items) {
    if (!isJudged(item)) continue;
    const reply = replies.get(judgeId(item));
    if (!reply) continue;
    const output = reply.status === 'ok' ? (reply.output as JudgeToolsOutput) : undefined;
    item.attempts += item.transcripts.length;
    item.improvements = output?.improvements ?? ['The judge gave no usable verdict.'];
    const used = new Set(
      gatedDrafts(item).filter(({ gated }) => evidenceOf(gated.toolId, item.transcripts).mattered > 0),
    );
    const right = item.transcripts.some((transcript) => transcript.right === true);
    for (const draft of gatedDrafts(item)) {
      if (output?.verdict === 'EFFECTIVE' && used.has(draft)) admit(item, draft, 'resolved', config);
      else draft.refusal = notAdmitted(right, used.has(draft), output);
    }
  }
}

function notAdmitted(right: boolean, used: boolean, output: JudgeToolsOutput | undefined): Refusal {
  if (!right)
    return { code: 'NOT_SOLVED', message: 'No attempt to solve the question with the tool gave its answer.' };
  if (!used)
    return { code: 'NOT_USED', message: 'Right answers came without a call whose value led to them.' };
  const why = output ? output.improvements.join(' ').slice(0, 500) : 'its verdict could not be read.';
  return { code: 'NOT_SOLVED', message: `The judge found the tool ineffective: ${why}` };
}

/** Rows that are only executed are admitted as soon as their call has given the answer. */
export function admitExecuted(items: readonly Item[], config: ToolLibraryConfig): void {
  for (const item of items) {
    if (item.status !== 'live' || item.validation !== 'execute') continue;
    for (const draft of gatedDrafts(item))
      if (draft.value !== undefined) admit(item, draft, 'executed', config);
  }
}

function admit(
  item: Item,
  draft: Draft & { gated: Gated },
  validated: Tool['validated'],
  config: ToolLibraryConfig,
): void {
  const { gated } = draft;
  const cases = casesOf(item, draft);
  const resolved = validated === 'resolved';
  const made =
    item.row.kind === 'problem' ? ['extract-tools', ...(item.round > 1 ? ['refine-tools'] : [])] : [];
  const played = [
    ...made,
    ...(draft.fixed ? ['fix-syntax'] : []),
    ...(resolved ? ['judge-tools', 'solve-with-tools'] : []),
  ];
  const models = played.flatMap((role) =>
    role === 'solve-with-tools' ? config.solvers : [config.models[role as 'extract-tools']],
  );
  const tool: Tool = {
    id: gated.toolId,
    name: gated.name,
    aliases: gated.aliases,
    kind: gated.kind,
    description: gated.description,
    schema: gated.schema,
    code: gated.code,
    entry: gated.name,
    caseIds: cases.map(({ id }) => id),
    tags: [...new Set(draft.tags)],
    validated,
    evidence: evidenceOf(gated.toolId, resolved ? item.transcripts : []),
    lineage: {
      questions: [idOf(item)],
      rounds: item.round,
      models: [...new Set(models)].sort(),
      roles: Object.fromEntries(played.sort().map((role) => [role, config.roles[role] ?? ''])),
      parents: [],
      codeHash: gated.codeHash,
    },
  };
  item.admitted.push({ tool, cases });
  item.status = 'done';
}

/** The case a tool came with, and those that its evidenced calls record. */
function casesOf(item: Item, draft: Draft & { gated: Gated }): Case[] {
  const { gated } = draft;
  // A case is compared without the options of its question: what is right by them alone is recorded as it is.
  const isGold = draft.value !== undefined && compareAnswer(goldOf(item), draft.value).equal;
  const about = {
    toolId: gated.toolId,
    questionId: idOf(item),
    question: item.row.row.question,
    comparator: { kind: 'auto' as const },
  };
  const make = (call: string, expected: Json, expectedFrom: Case['expectedFrom'], setup?: string): Case => ({
    id: caseId(gated.toolId, setup, call, expected),
    ...about,
    ...(setup === undefined ? {} : { setup }),
    call,
    expected,
    expectedFrom,
  });
  const cases = [
    make(gated.call, isGold ? goldOf(item) : draft.value!, isGold ? 'gold' : 'recorded', gated.setup),
  ];
  const seen = new Set([gated.call]);
  for (const transcript of item.transcripts) {
    for (const n of matteringTurns(transcript)) {
      const { call, raw, toolId } = transcript.turns[n]!;
      const text = callText(call as { name: string; arguments: Record<string, Json> });
      if (toolId !== gated.toolId || raw === undefined || seen.has(text) || cases.length > MAX_RECORDED)
        continue;
      seen.add(text);
      cases.push(make(text, raw, 'recorded'));
    }
  }
  return cases;
}

/**
 * Ends the round: items without a live tool go on to the next round while there is one and a model may write anew, else
 * their refusals become rejects.
 * @returns how many items go on.
 */
export function nextRound(items: readonly Item[], config: ToolLibraryConfig): number {
  let live = 0;
  for (const item of items) {
    const isDone = item.status === 'done';
    const open = liveDrafts(item).length > 0;
    if (isDone) recordRefusals(item);
    else if (
      !open &&
      item.validation !== 'execute' &&
      item.round < config.input.rounds.create &&
      item.drafts.length > 0
    ) {
      item.round++;
      item.transcripts = [];
      live++;
    } else if (!open) {
      item.status = 'done';
      recordRefusals(item);
    }
  }
  return live;
}

/** The refusals of an item's last round, each tool's earliest listed. */
function recordRefusals(item: Item): void {
  const known = new Set(item.rejects.map(({ itemId }) => itemId));
  const last = Math.max(...item.drafts.map(({ round }) => round), 0);
  for (const { round, refusal, index } of item.drafts) {
    const itemId = `${idOf(item)}.${index}`;
    if (round !== last || !refusal || known.has(itemId)) continue;
    item.rejects.push({
      itemId,
      stage: stageOf(refusal.code),
      code: refusal.code,
      message: refusal.message,
      round,
    });
  }
}

const stageOf = (code: Refusal['code']): string => {
  const at = REJECT_CODES.indexOf(code);
  if (at >= REJECT_CODES.indexOf('NOT_USED')) return 'judge-tools';
  return at >= REJECT_CODES.indexOf('EXEC_ERROR') ? 'run-cases' : 'gate';
};
