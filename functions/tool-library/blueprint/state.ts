import type { Cluster } from '../records.ts';
import type { Design } from '../roles/refactoring.ts';

/** The state of a part's blueprint: one row a cluster, written after every step. */

export interface Scenario {
  /** Without `covered`: numbers are of one prompt only. */
  design: Omit<Design, 'covered'>;
  toolIds: string[];
  pass: number;
  /** What reviewers missed in it. */
  suggestions: string[];
  widenings: number;
}

export interface ClusterState {
  cluster: Cluster;
  pass: number;
  scenarios: Scenario[];
}

export const coveredIn = ({ scenarios }: ClusterState): Set<string> =>
  new Set(scenarios.flatMap(({ toolIds }) => toolIds));

export function uncoveredIn(state: ClusterState): string[] {
  const covered = coveredIn(state);
  return state.cluster.toolIds.filter((id) => !covered.has(id));
}

export const withCovered = ({ design }: Scenario, covered: number[]): Design => ({ ...design, covered });
