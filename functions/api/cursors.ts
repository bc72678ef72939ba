import { z } from 'zod';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { ProblemError } from '#shared/task/problems.ts';

/** Opaque cursors: the place of a page's last item, bound to the list it is of. Nothing but the place is trusted. */

const Cursor = z.tuple([z.literal(1), z.string(), z.string().min(1)]);

const bindingOf = (list: readonly unknown[]): string => sha256Hex(JSON.stringify(list)).slice(0, 16);

/** @param list what makes the list: whose, of what, filtered how. */
export function encodeCursor(list: readonly unknown[], after: string): string {
  return Buffer.from(JSON.stringify([1, bindingOf(list), after])).toString('base64url');
}

/** The place a cursor names. @throws ProblemError `bad-cursor` for one that is not of this list. */
export function decodeCursor(list: readonly unknown[], cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    value = undefined;
  }
  const parsed = Cursor.safeParse(value);
  const after = parsed.success && parsed.data[1] === bindingOf(list) ? parsed.data[2] : undefined;
  if (
    after === undefined ||
    !after.isWellFormed() ||
    after.includes('\0') ||
    Buffer.byteLength(after) > 900
  ) {
    throw new ProblemError(
      'bad-cursor',
      'The cursor does not belong to this list: start again without one.',
      {
        problems: [
          {
            pointer: '/query/cursor',
            code: 'bad-cursor',
            detail: 'Pass `nextCursor` of the page before, with the same filters.',
          },
        ],
      },
    );
  }
  return after;
}
