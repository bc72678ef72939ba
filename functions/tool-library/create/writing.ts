import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { PythonReasoning } from '../builtin/python-reasoning.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { extractToolsRole, type ExtractToolsOutput } from '../roles/extract-tools.ts';
import { fixSyntaxRole, type FixSyntaxOutput } from '../roles/fix-syntax.ts';
import { refineToolsRole } from '../roles/refine-tools.ts';
import { readReasonings } from './reasoning.ts';
import { goldText, idOf, liveDrafts, type Draft, type Item } from './state.ts';

/** How drafts come about: extracted from a solution, repaired, or written anew (section 4). */

const needsExtraction = (item: Item): boolean =>
  item.status === 'live' && item.row.kind === 'problem' && item.round === 1 && item.drafts.length === 0;

/** Items whose tools are to be written anew in the round that has begun. */
const needsRefinement = (item: Item): boolean =>
  item.status === 'live' && item.round > 1 && !item.drafts.some(({ round }) => round === item.round);

const problemOf = (item: Item) => {
  const { row } = item.row;
  return {
    question: row.question,
    reasoning: 'reasoning' in row ? row.reasoning : '',
    answer: goldText(item),
    ...('options' in row && row.options ? { options: row.options } : {}),
  };
};

const pythonOf = async (items: readonly Item[]): Promise<Map<Item, PythonReasoning>> => {
  const read = await readReasonings(items.map((item) => problemOf(item).reasoning));
  return new Map(items.flatMap((item, n) => (read[n] ? [[item, read[n]] as const] : [])));
};

export async function extractRequests(
  items: readonly Item[],
  config: ToolLibraryConfig,
): Promise<InferRequest[]> {
  const asked = items.filter(needsExtraction);
  const python = config.builtin['extract-tools'] ? await pythonOf(asked) : new Map<Item, PythonReasoning>();
  return asked.map((item) => {
    const analysis = python.has(item) ? { python: python.get(item)! } : {};
    return requestFor(
      extractToolsRole,
      { ...problemOf(item), analysis },
      { id: `${idOf(item)}:extract-tools`, model: config.models['extract-tools'] },
    );
  });
}

/** What became of the answers: drafts, or why there are none. `evidence` is where the raw answers are kept. */
export function applyExtract(
  items: readonly Item[],
  replies: ReadonlyMap<string, InferResult>,
  evidence: string,
): void {
  for (const item of items.filter(needsExtraction)) {
    const reply = replies.get(`${idOf(item)}:extract-tools`);
    if (reply) takeBlocks(item, reply, evidence);
  }
}

function takeBlocks(item: Item, reply: InferResult, evidence: string): void {
  const output = reply.status === 'ok' ? (reply.output as ExtractToolsOutput) : undefined;
  const refuse = (code: Item['rejects'][number]['code'], message: string, index?: number): void => {
    const itemId = index === undefined ? idOf(item) : `${idOf(item)}.${index}`;
    item.rejects.push({ itemId, stage: 'extract-tools', code, message, evidence, round: item.round });
  };
  if (output?.declined && output.tools.length === 0) refuse(output.declined.code, output.declined.message);
  else if (!output || output.tools.length === 0) {
    refuse(
      'GENERATION_EMPTY',
      reply.error ? `No tool came of the reply: ${reply.error.code}.` : 'The reply holds no tool.',
    );
  }
  for (const [index, block] of output?.tools.entries() ?? []) {
    if (!block.code?.trim() || !block.call?.trim()) {
      refuse('BLOCK_INCOMPLETE', `Block ${index + 1} has no ${block.code?.trim() ? 'call' : 'code'}.`, index);
      continue;
    }
    item.drafts.push(draftOf(item, index, block.code, block.call, block.tags ?? []));
  }
  if (liveDrafts(item).length === 0) item.status = 'done';
}

const draftOf = (item: Item, index: number, code: string, call: string, tags: readonly string[]): Draft => ({
  index,
  round: item.round,
  tags: tags.slice(0, 8).map((tag) => tag.slice(0, 40)),
  code,
  call,
});

// ------------------------------------------------------------------------------------------- fix-syntax

const fixId = (item: Item, draft: Draft): string => `${idOf(item)}.${draft.index}:fix-syntax`;

export const waitingForFix = (items: readonly Item[]): number =>
  items.reduce((sum, item) => sum + liveDrafts(item).filter(({ syntax }) => syntax).length, 0);

export const fixRequests = (items: readonly Item[], config: ToolLibraryConfig): InferRequest[] =>
  items.flatMap((item) =>
    liveDrafts(item)
      .filter(({ syntax }) => syntax)
      .map((draft) => {
        const { message, line } = draft.syntax!;
        const input = { code: draft.code, error: message, line };
        return requestFor(fixSyntaxRole, input, {
          id: fixId(item, draft),
          model: config.models['fix-syntax'],
        });
      }),
  );

/** Puts the repaired code in place of the broken one; the gate looks at it once more. */
export function applyFix(items: readonly Item[], replies: ReadonlyMap<string, InferResult>): void {
  for (const item of items) {
    for (const draft of liveDrafts(item).filter(({ syntax }) => syntax)) {
      const reply = replies.get(fixId(item, draft));
      if (!reply) continue;
      if (reply.status === 'ok') draft.code = (reply.output as FixSyntaxOutput).code;
      draft.fixed = true;
      delete draft.syntax;
    }
  }
}

// ----------------------------------------------------------------------------------------- refine-tools

export async function refineRequests(
  items: readonly Item[],
  config: ToolLibraryConfig,
): Promise<InferRequest[]> {
  const asked = items.filter(needsRefinement);
  const python = config.builtin['refine-tools'] ? await pythonOf(asked) : new Map<Item, PythonReasoning>();
  return asked.map((item) => {
    const before = item.drafts.filter(({ round }) => round === item.round - 1);
    const input = {
      ...problemOf(item),
      tools: before.map(({ code, call }) => ({ code, call })),
      improvements: item.improvements,
      failures: before.flatMap(({ refusal }) => (refusal ? [`${refusal.code}: ${refusal.message}`] : [])),
      round: item.round,
      analysis: python.has(item) ? { python: python.get(item)! } : {},
    };
    return requestFor(refineToolsRole, input, {
      id: `${idOf(item)}:refine-tools`,
      model: config.models['refine-tools'],
    });
  });
}

/** Takes the rewritten tools; what cannot be read keeps the old ones for another try. */
export function applyRefine(items: readonly Item[], replies: ReadonlyMap<string, InferResult>): void {
  for (const item of items.filter(needsRefinement)) {
    const reply = replies.get(`${idOf(item)}:refine-tools`);
    if (!reply) continue;
    const output = reply.status === 'ok' ? (reply.output as ExtractToolsOutput) : undefined;
    const blocks = (output?.tools ?? []).filter(({ code, call }) => code?.trim() && call?.trim());
    const before = item.drafts.filter(({ round }) => round === item.round - 1);
    if (blocks.length === 0) {
      for (const { index, code, call, tags, setup } of before) {
        const draft = draftOf(item, index, code, call, tags);
        item.drafts.push(setup === undefined ? draft : { ...draft, setup });
      }
    }
    for (const [index, { code, call, tags }] of blocks.entries()) {
      item.drafts.push(draftOf(item, index, code!, call!, tags ?? before[index]?.tags ?? []));
    }
  }
}
