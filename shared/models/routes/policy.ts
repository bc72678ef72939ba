import type { InferRequest, InferResult, RouteEntry } from '../types.ts';

/** One model that could answer now. */
export interface Candidate {
  model: string;
  /** Micro-dollars of the expected and of the worst case. */
  expectedMicros: number;
  worstMicros: number;
  /** Share of this process's attempts that were answered, 0 to 1; 1 before the first. */
  successRate: number;
  /** Median latency of this process's attempts in milliseconds, where it has made any. */
  p50Ms?: number;
}

/** An earlier hop of the same request. */
export interface Hop {
  model: string;
  status: InferResult['status'];
  code?: string;
}

/**
 * Chooses which model a request goes to next: pure and synchronous. The catalogue lists the route's models that are
 * enabled, fit the request's features and size, have a closed breaker and are affordable; the history what was tried.
 */
export interface RoutePolicy {
  readonly name: string;
  readonly version: string;
  choose(
    request: InferRequest,
    catalogue: readonly Candidate[],
    history: readonly Hop[],
  ): { model: string; reason: string } | null;
}

const untried = (catalogue: readonly Candidate[], history: readonly Hop[]): Candidate[] =>
  catalogue.filter((candidate) => !history.some((hop) => hop.model === candidate.model));

/** A next hop is made after `failed`, and where `rejected` says so after unusable answers too. */
const goesOn = (history: readonly Hop[], rejected: boolean): boolean => {
  const last = history.at(-1);
  return last === undefined || last.status === 'failed' || (rejected && last.status === 'rejected');
};

const inOrder = (name: string, rejected: boolean): RoutePolicy => ({
  name,
  version: '1',
  choose(_request, catalogue, history) {
    if (!goesOn(history, rejected)) return null;
    const [next] = untried(catalogue, history);
    return next ? { model: next.model, reason: reasonOf(name, history) } : null;
  },
});

const reasonOf = (name: string, history: readonly Hop[]): string => {
  const last = history.at(-1);
  return last ? `${name}: after ${last.model} ${last.code ?? last.status}` : `${name}: first`;
};

/** Listed order, the next model when one failed. */
export const staticPolicy = inOrder('static', false);

/** Listed order, the next model also when an answer was unusable. */
export const cascadePolicy = inOrder('cascade', true);

/** The least expected cost first, ties by name. */
export const cheapestPolicy: RoutePolicy = {
  name: 'cheapest',
  version: '1',
  choose(_request, catalogue, history) {
    if (!goesOn(history, false)) return null;
    const [next] = untried(catalogue, history).sort(
      (a, b) => a.expectedMicros - b.expectedMicros || (a.model < b.model ? -1 : 1),
    );
    return next ? { model: next.model, reason: reasonOf('cheapest', history) } : null;
  },
};

export const POLICIES: Record<RouteEntry['policy'], RoutePolicy> = {
  static: staticPolicy,
  cascade: cascadePolicy,
  cheapest: cheapestPolicy,
};
