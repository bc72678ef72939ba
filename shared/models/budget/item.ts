import type { Json, RecordItem, RecordKey } from '#shared/storage/ports.ts';

/**
 * A job's one budget item (model-inference section 8 under DESIGN section 9). For every capped unit
 * `cap = remaining + sum of held + spent`, and every change is one conditional write to this item. Leases are
 * top-level attributes `lease#<id>`, so that a write can name its own and leave the others alone.
 */

export const UNITS = ['micros', 'tokens', 'calls'] as const;
export type Unit = (typeof UNITS)[number];

/** An amount of each unit: micro-dollars, tokens, attempts. */
export type Amounts = Record<Unit, number>;

export const amounts = (micros = 0, tokens = 0, calls = 0): Amounts => ({ micros, tokens, calls });

export const sumOf = (a: Amounts, b: Amounts): Amounts =>
  amounts(a.micros + b.micros, a.tokens + b.tokens, a.calls + b.calls);

export const lessOf = (a: Amounts, b: Amounts): Amounts =>
  amounts(a.micros - b.micros, a.tokens - b.tokens, a.calls - b.calls);

/** `capMicros`, `remainingTokens`, `spentCalls` ... */
export const attribute = (kind: 'cap' | 'remaining' | 'spent', unit: Unit): string =>
  `${kind}${unit[0]!.toUpperCase()}${unit.slice(1)}`;

export const budgetKey = (jobId: string): RecordKey => ({ pk: `BUDGET#${jobId}`, sk: 'SPEND' });

export const LEASE_PREFIX = 'lease#';
/** `turn#<id>`: how often the lease's owner has written, beside its state because conditions compare whole attributes. */
export const TURN_PREFIX = 'turn#';
/** A lease that is not renewed for this long has lapsed. */
export const LEASE_MS = 120_000;
export const RENEW_MS = 40_000;
/** How long after its end a lease may still be settled by its owner before the sweep takes it. */
export const GRACE_MS = 30_000;

/** What a lease has taken from `remaining` and not spent, and what of its spending is in `spent` already. */
export interface LeaseState {
  /** Milliseconds since the epoch. */
  until: number;
  held: Amounts;
  folded: Amounts;
  /** Kept for one call of the future (a research run's last one): it will not come free for anybody else. */
  standing?: true;
  /** What has been held under it, where that must happen once. */
  holds?: string[];
}

export interface BudgetState {
  version: number;
  /** Units with a cap. */
  cap: Partial<Amounts>;
  remaining: Amounts;
  spent: Amounts;
  leases: Map<string, LeaseState>;
  /** Milliseconds since the epoch after which nothing is dispatched. */
  secondsUntil?: number;
  capSeconds?: number;
  /** Why nothing more may be reserved. */
  closed?: string;
}

const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);

/** Reads the item; an absent one is a job without caps. */
export function budgetState(item: RecordItem | null | undefined): BudgetState {
  const state: BudgetState = {
    version: item?.version ?? 0,
    cap: {},
    remaining: amounts(),
    spent: amounts(),
    leases: new Map(),
  };
  if (!item) return state;
  for (const unit of UNITS) {
    const cap = item.attributes[attribute('cap', unit)];
    if (typeof cap === 'number') state.cap[unit] = cap;
    state.remaining[unit] = numberOf(item.attributes[attribute('remaining', unit)]);
    state.spent[unit] = numberOf(item.attributes[attribute('spent', unit)]);
  }
  for (const [name, value] of Object.entries(item.attributes)) {
    if (name.startsWith(LEASE_PREFIX)) {
      state.leases.set(name.slice(LEASE_PREFIX.length), value as unknown as LeaseState);
    }
  }
  const { secondsUntil, capSeconds, closed } = item.attributes;
  if (typeof secondsUntil === 'number') state.secondsUntil = secondsUntil;
  if (typeof capSeconds === 'number') state.capSeconds = capSeconds;
  if (typeof closed === 'string') state.closed = closed;
  return state;
}

/** What all leases, or all but one, hold. */
export function heldBy(state: BudgetState, except?: string): Amounts {
  let held = amounts();
  for (const [id, lease] of state.leases) if (id !== except) held = sumOf(held, lease.held);
  return held;
}

/** What is kept for calls of the future. */
export function standingBy(state: BudgetState): Amounts {
  let held = amounts();
  for (const lease of state.leases.values()) if (lease.standing) held = sumOf(held, lease.held);
  return held;
}

/** `add` of an update: only units that change. */
export function additions(kind: 'remaining' | 'spent', change: Partial<Amounts>): Record<string, number> {
  const add: Record<string, number> = {};
  for (const unit of UNITS) if (change[unit]) add[attribute(kind, unit)] = change[unit];
  return add;
}

/** Where the sweep finds the jobs with leases; written with the leases themselves. */
export const LEASE_LISTS = [...'0123456789abcdef'].map((shard) => `LEASE#${shard}`);

/** The list of a job: by the last character's code, which is random in a job id. */
export const leaseListOf = (jobId: string): string =>
  LEASE_LISTS[jobId.charCodeAt(jobId.length - 1) % LEASE_LISTS.length]!;
