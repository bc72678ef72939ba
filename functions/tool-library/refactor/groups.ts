import { constant } from '../analysis/literals.ts';
import { isNode, type AstNode } from '../python/ast.ts';
import { leafKey, type NormalForm, type Skeleton } from './forms.ts';
import { variablesOf } from './generalise.ts';
import { skeletonOf } from './skeleton.ts';
import { nounsOf } from './words.ts';

/** Which functions merge: equal skeletons (step 4), widened ones (step 7), within the guards (step 9). */

export const MAX_PARAMETERS = 8;
export const MAX_TOOLS = 40;
/** Steps a skeleton may be widened by. */
const MAX_WIDENED = 2;

export interface GroupOptions {
  widen: boolean;
}

/** Skeletons that become one function; those of one tool stand alone. In the order of their first tool's id. */
export function groupsOf(forms: readonly NormalForm[], { widen }: GroupOptions): Skeleton[][] {
  const buckets = new Map<string, Skeleton[]>();
  const byId = [...forms].sort((a, b) => (a.toolId < b.toolId ? -1 : 1));
  for (const skeleton of byId.map(skeletonOf)) {
    // What is only a name or a literal says nothing that two tools could share.
    if (skeleton.operators === 0) continue;
    const bucket = buckets.get(skeleton.text);
    if (bucket) bucket.push(skeleton);
    else buckets.set(skeleton.text, [skeleton]);
  }
  if (widen) widenBuckets(buckets);
  return [...buckets.values()].flatMap(partition).sort((a, b) => (a[0]!.toolId < b[0]!.toolId ? -1 : 1));
}

interface Outer {
  inner: string;
  op: 'Add' | 'Sub' | 'Mult';
}

/** The skeleton that is left without an outer `+ - *` leaf. */
function outerOf(skeleton: Skeleton): Outer | undefined {
  const [statement, more] = skeleton.body;
  if (more || statement?._ !== 'Return' || !isNode(statement.value) || statement.value._ !== 'BinOp')
    return undefined;
  if (!skeleton.numeric) return undefined;
  const { left, op, right } = statement.value as AstNode & { left: AstNode; op: AstNode; right: AstNode };
  if (op._ !== 'Add' && op._ !== 'Sub' && op._ !== 'Mult') return undefined;
  if (right._ !== 'Name' && right._ !== 'Constant' && right._ !== 'UnaryOp') return undefined;
  if (right._ === 'UnaryOp' && isNode(right.operand) && right.operand._ !== 'Constant') return undefined;
  if (left._ === 'Name' || left._ === 'Constant') return undefined;
  return { inner: skeletonOf({ ...skeleton, body: [{ ...statement, value: left }] }).text, op: op._ };
}

/** A skeleton with a neutral leaf around it. */
function widened(skeleton: Skeleton, op: Outer['op']): Skeleton {
  const [statement] = skeleton.body;
  const leaf: AstNode = { ...constant(op === 'Mult' ? 1 : 0), neutral: true };
  const value: AstNode = { _: 'BinOp', left: statement!.value!, op: { _: op }, right: leaf };
  return skeletonOf({ ...skeleton, body: [{ ...statement!, value }] });
}

/** Buckets that differ by one outer leaf become one, smaller skeletons first, if the guards allow the result. */
function widenBuckets(buckets: Map<string, Skeleton[]>): void {
  const steps = new Map<string, number>();
  const targets = new Map<string, { text: string; op: Outer['op'] }[]>();
  for (const [text, [first]] of buckets) {
    const outer = outerOf(first!);
    if (outer && buckets.has(outer.inner)) {
      targets.set(outer.inner, [...(targets.get(outer.inner) ?? []), { text, op: outer.op }]);
    }
  }
  const size = (text: string): number => buckets.get(text)?.length ?? 0;
  const inners = [...targets.keys()].sort(
    (a, b) => buckets.get(a)![0]!.operators - buckets.get(b)![0]!.operators || (a < b ? -1 : 1),
  );
  for (const inner of inners) {
    const skeletons = buckets.get(inner)!;
    const step = (steps.get(inner) ?? 0) + 1;
    if (step > MAX_WIDENED || skeletons.some(({ numeric }) => !numeric)) continue;
    const best = [...targets.get(inner)!].sort(
      (a, b) => size(b.text) - size(a.text) || (a.text < b.text ? -1 : 1),
    );
    for (const { text, op } of best) {
      const wide = skeletons.map((skeleton) => widened(skeleton, op));
      const target = buckets.get(text)!;
      if (!fits(target, wide, text)) continue;
      buckets.set(
        text,
        [...target, ...wide].sort((a, b) => (a.toolId < b.toolId ? -1 : 1)),
      );
      buckets.delete(inner);
      steps.set(text, Math.max(step, steps.get(text) ?? 0));
      break;
    }
  }
}

function fits(target: Skeleton[], wide: Skeleton[], text: string): boolean {
  if (wide.some((skeleton) => skeleton.text !== text) || target.some(({ numeric }) => !numeric)) return false;
  const all = [...target, ...wide];
  if (all.length > MAX_TOOLS || variablesOf(all) > MAX_PARAMETERS) return false;
  // A formula of one operator is everywhere: it joins only what it shares a noun with.
  if (wide[0]!.operators > 2) return true;
  const nouns = new Set(target.flatMap(({ name }) => nounsOf(name)));
  return wide.every(({ name }) => nounsOf(name).some((noun) => nouns.has(noun)));
}

/** Cuts a bucket into groups that keep the guards; tools that use their parameters alike stay together. */
function partition(bucket: Skeleton[]): Skeleton[][] {
  if (bucket.length < 2) return [bucket];
  const parts = bucket[0]!.operators === 1 ? byNoun(bucket) : [bucket];
  return parts.flatMap((part) => {
    if (part.length <= MAX_TOOLS && variablesOf(part) <= MAX_PARAMETERS) return [part];
    const sorted = part
      .map((skeleton) => ({ skeleton, pattern: patternOf(skeleton) }))
      .sort((a, b) => (a.pattern < b.pattern ? -1 : a.pattern > b.pattern ? 1 : 0));
    const groups: Skeleton[][] = [];
    for (const { skeleton } of sorted) {
      const last = groups.at(-1);
      const joined = last && [...last, skeleton];
      if (joined && joined.length <= MAX_TOOLS && variablesOf(joined) <= MAX_PARAMETERS)
        groups[groups.length - 1] = joined;
      else groups.push([skeleton]);
    }
    return groups;
  });
}

/** Which holes hold the same leaf: 0, 1, 0, … for parameters, the literal itself else. */
function patternOf({ leaves }: Skeleton): string {
  const seen = new Map<string, number>();
  return leaves
    .map((leaf) => {
      const key = leafKey(leaf);
      if (!seen.has(key)) seen.set(key, seen.size);
      return leaf.kind === 'parameter' ? String(seen.get(key)) : key;
    })
    .join(' ');
}

/** Groups that share a noun of their names, the most frequent noun first. */
function byNoun(bucket: Skeleton[]): Skeleton[][] {
  const left = new Set(bucket);
  const groups: Skeleton[][] = [];
  for (;;) {
    const counts = new Map<string, Skeleton[]>();
    for (const skeleton of left) {
      for (const noun of new Set(nounsOf(skeleton.name)))
        counts.set(noun, [...(counts.get(noun) ?? []), skeleton]);
    }
    const [best] = [...counts].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
    if (!best || best[1].length < 2) break;
    groups.push(best[1]);
    for (const skeleton of best[1]) left.delete(skeleton);
  }
  return [...groups, ...[...left].map((skeleton) => [skeleton])];
}
