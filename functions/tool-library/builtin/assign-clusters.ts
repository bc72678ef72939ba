import type { AssignClustersInput, AssignClustersOutput } from '../roles/assign-clusters.ts';

/** Plays assign-clusters: the leaf with the nearest centroid. */
export const assignClusters = ({ analysis }: AssignClustersInput): AssignClustersOutput => ({
  assignments: analysis.nearest.map((leafId, index) => ({ index: index + 1, leafId })),
});
