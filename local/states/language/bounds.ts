import { MAX_EVALUATION_BYTES, MAX_EVALUATION_DEPTH, MAX_EVALUATION_MS } from './limits.ts';

/**
 * The bounds of one evaluation: time, depth and memory, checked at every node through JSONata's evaluation hooks.
 * The texts are the service's own as others measured them (docs/states-language.md).
 */
export const MEMORY_EXCEEDED =
  'Expression evaluation memory limit exceeded: Check for excessive memory usage';
export const TIME_EXCEEDED = 'Expression evaluation timeout: Check for infinite loop';
export const DEPTH_EXCEEDED =
  'Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive';

/** Name of the bounds in the evaluation's frame; no expression can spell it. */
export const BOUNDS = ' bounds';

interface Frame {
  isParallelCall?: boolean;
  lookup(name: string): unknown;
}

/** State of one evaluation. Nodes that JSONata evaluates in parallel with a sibling do not count as nested. */
export class Bounds {
  private readonly open: { node: unknown; frame: unknown }[] = [];
  private readonly deadline: number;

  constructor(now: number = performance.now()) {
    this.deadline = now + MAX_EVALUATION_MS;
  }

  enter(node: unknown, frame: Frame): void {
    if (performance.now() > this.deadline) throw { message: TIME_EXCEEDED };
    if (frame.isParallelCall) return;
    this.open.push({ node, frame });
    if (this.open.length > MAX_EVALUATION_DEPTH) throw { message: DEPTH_EXCEEDED };
  }

  leave(node: unknown, frame: Frame, result: unknown): void {
    for (let at = this.open.length - 1; at >= 0; at--) {
      const entry = this.open[at]!;
      if (entry.node === node && entry.frame === frame) {
        this.open.splice(at, 1);
        break;
      }
    }
    if (shallowBytes(result) > MAX_EVALUATION_BYTES) throw { message: MEMORY_EXCEEDED };
  }
}

/** What one intermediate value holds, without looking into its elements. */
function shallowBytes(value: unknown): number {
  if (typeof value === 'string') return value.length;
  return Array.isArray(value) ? value.length * 8 : 0;
}

/** The two hooks, to be assigned to a compiled expression. */
export const onEnter = (node: unknown, _input: unknown, frame: Frame): void =>
  (frame.lookup(BOUNDS) as Bounds).enter(node, frame);
export const onLeave = (node: unknown, _input: unknown, frame: Frame, result: unknown): void =>
  (frame.lookup(BOUNDS) as Bounds).leave(node, frame, result);
