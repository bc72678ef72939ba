import { sha256Hex } from '#shared/determinism/hash.ts';
import { REJECT_CLASS, type Reject, type RejectCode } from './records.ts';

/** A reject before it knows its job: what a pure function says of an item it refuses. */
export interface RejectDraft {
  code: RejectCode;
  source: Reject['source'];
  licence?: string;
  docId?: string;
  pairId?: string;
  question?: string;
  answer?: string;
  callId?: string;
  evidence?: Record<string, unknown>;
}

/** A reject record of at most 4 KiB. Its id follows from stage, code, subject and place. */
export function rejectOf(jobId: string, stage: string, draft: RejectDraft): Reject {
  const { code, source, docId, pairId } = draft;
  const identity = [stage, code, docId ?? '', pairId ?? '', source.uri, source.line, source.byteStart].join(
    '\n',
  );
  return {
    rejectId: `r${sha256Hex(identity).slice(0, 32)}`,
    jobId,
    stage,
    code,
    class: REJECT_CLASS[code],
    ...(docId === undefined ? {} : { docId }),
    ...(pairId === undefined ? {} : { pairId }),
    licence: clip(draft.licence ?? 'unknown', 100),
    source,
    ...(draft.question === undefined ? {} : { question: clip(draft.question, 600) }),
    ...(draft.answer === undefined ? {} : { answer: clip(draft.answer, 300) }),
    ...(draft.callId === undefined ? {} : { callId: draft.callId }),
    evidence: bounded(draft.evidence ?? {}),
  };
}

/** Bytes of evidence that always leave room for the rest of the record below 4 KiB. */
const EVIDENCE_BYTES = 1200;

/** The evidence itself where it is small, else the same with texts and lists cut until it is. */
export function bounded(evidence: Record<string, unknown>): Record<string, unknown> {
  for (const [chars, items] of [
    [800, 20],
    [200, 10],
    [60, 5],
    [20, 2],
  ] as const) {
    const cut = trim(evidence, chars, items, 4) as Record<string, unknown>;
    if (Buffer.byteLength(JSON.stringify(cut)) <= EVIDENCE_BYTES) return cut;
  }
  return { truncated: true };
}

function trim(value: unknown, chars: number, items: number, depth: number): unknown {
  if (typeof value === 'string') return clip(value, chars);
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return value;
  if (depth === 0) return '…';
  if (Array.isArray(value)) return value.slice(0, items).map((item) => trim(item, chars, items, depth - 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, items)
      .map(([key, item]) => [clip(key, 60), trim(item, chars, items, depth - 1)]),
  );
}

/** A text of at most `chars` UTF-16 units, ending in `…` where it was cut; never half a surrogate pair. */
export function clip(text: string, chars: number): string {
  const well = text.toWellFormed();
  return well.length <= chars ? well : `${well.slice(0, chars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
