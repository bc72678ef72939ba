/** Cosine distances at which the builtin tree is cut, from the level below the root to the leaves (section 6). */
const CUTS = [0.8, 0.6, 0.45] as const;

/** A tool within this distance of a leaf's centroid belongs to it. */
export const FITS = 0.45;

/**
 * Thresholds of the levels below the root, falling: `[0.8, 0.6, 0.45]` for depth 4. Other depths interpolate; the
 * leaves' is always the last.
 * @param depth levels of the tree with its root, at least 2.
 */
export function cutsOf(depth: number): number[] {
  const levels = depth - 1;
  if (levels === 1) return [CUTS[2]];
  return Array.from({ length: levels }, (_, level) => {
    const at = (level / (levels - 1)) * (CUTS.length - 1);
    const low = Math.min(Math.floor(at), CUTS.length - 2);
    return CUTS[low]! + (at - low) * (CUTS[low + 1]! - CUTS[low]!);
  });
}
