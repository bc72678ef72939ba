import type { Case, Tool } from '#shared/library/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Turn } from '../roles/solve-with-tools.ts';
import type { ShardRow } from '../ingest/ingest.ts';
import type { Reject, RejectCode } from '../records.ts';

/**
 * The state of a shard's create loop: one row an item, written after every step. Steps are pure functions of it and of
 * what models and sandbox gave; so a step that runs twice writes the same bytes.
 */

/** A tool on its way, as a model wrote it or a row brought it. */
export interface Draft {
  /** Position among the item's tools of this round. */
  index: number;
  round: number;
  tags: string[];
  code: string;
  call: string;
  setup?: string;
  /** fix-syntax has had its turn. */
  fixed?: boolean;
  /** The syntax error it waits with for fix-syntax. */
  syntax?: { message: string; line: number };
  /** What the gate made of it. */
  gated?: Gated;
  /** What its own call gave. */
  value?: Json;
  refusal?: Refusal;
}

export interface Refusal {
  code: RejectCode;
  message: string;
}

/** A draft that parses, has a schema and keeps the policy. */
export interface Gated {
  toolId: string;
  name: string;
  aliases: string[];
  kind: Tool['kind'];
  schema: Record<string, Json>;
  description: string;
  /** The code with its entry's final name. */
  code: string;
  codeHash: string;
  setup?: string;
  call: string;
  /** Calls with changed arguments (section 9), each with what was changed. */
  perturbed: string[];
  /** The call with None for every argument. */
  allNone?: string;
  /** Numbers and texts that stand in the code as literals. */
  literals: (number | string)[];
  /** Literals that handlers of exceptions return. */
  handled: (number | string)[];
}

/** One attempt to solve the question with this round's tools. */
export interface Transcript {
  run: number;
  model: string;
  sample: number;
  turns: (Turn & { raw?: Json; toolId?: string })[];
  answer?: string;
  right?: boolean;
  /** Whether it goes on. */
  open: boolean;
  /** The last turn re-asked with the value changed: what it was changed to, and what was answered then. */
  counterfactual?: { changed: string; answer?: string; voided?: boolean };
}

export interface Item {
  row: ShardRow;
  validation: 'resolve' | 'execute' | 'both';
  round: number;
  /** `live` items take part in the steps; `done` ones have tools admitted or refused. */
  status: 'live' | 'done';
  drafts: Draft[];
  transcripts: Transcript[];
  /** Transcripts of all rounds, as counts. */
  attempts: number;
  improvements: string[];
  admitted: { tool: Tool; cases: Case[] }[];
  rejects: Reject[];
}

export const idOf = (item: Item): string => item.row.row.id;

export const newItem = (row: ShardRow, validation: 'resolve' | 'execute' | 'both' | undefined): Item => ({
  row,
  validation: validation ?? (row.kind === 'tool' ? 'execute' : 'both'),
  round: 1,
  status: 'live',
  drafts:
    row.kind === 'tool'
      ? [
          {
            index: 0,
            round: 1,
            tags: row.row.tags,
            code: row.row.code,
            call: row.row.call,
            ...(row.row.setup === undefined ? {} : { setup: row.row.setup }),
          },
        ]
      : [],
  transcripts: [],
  attempts: 0,
  improvements: [],
  admitted: [],
  rejects: [],
});

/** The question's answer, as it was given. */
export const goldOf = (item: Item): Json => item.row.row.answer;

export const goldText = (item: Item): string => {
  const gold = goldOf(item);
  return typeof gold === 'string' ? gold : JSON.stringify(gold);
};

/** Drafts of this round that nothing speaks against yet. */
export const liveDrafts = (item: Item): Draft[] =>
  item.status === 'live' ? item.drafts.filter((draft) => draft.round === item.round && !draft.refusal) : [];

/** The same, through the gate. */
export const gatedDrafts = (item: Item): (Draft & { gated: Gated })[] =>
  liveDrafts(item).filter((draft): draft is Draft & { gated: Gated } => draft.gated !== undefined);

export const needsSolving = (item: Item): boolean =>
  item.status === 'live' && item.validation !== 'execute' && gatedDrafts(item).length > 0;
