import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Rooms of tests that start processes: a file takes up to a minute and more, one of the others seconds. */
const LONG = [
  'test/faults/',
  'test/e2e/',
  'test/infra/',
  'test/shared/sandbox/',
  'test/functions/tool-library/',
];

/**
 * Long files first, so that no worker is left alone with one at the end. A fresh checkout has no durations of runs before,
 * and goes by the size of files otherwise, which says little of the time they take.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const room = ({ moduleId }: TestSpecification): number => {
      const path = relative(this.ctx.config.root, moduleId);
      const at = LONG.findIndex((prefix) => path.startsWith(prefix));
      return at < 0 ? LONG.length : at;
    };
    const known = files.every((file) => this.ctx.cache.getTestSpecificationResult(file) !== undefined);
    const sorted = await super.sort(files);
    // A stable sort: files of one room stay in their order.
    return known ? sorted : sorted.sort((a, b) => room(a) - room(b));
  }
}
