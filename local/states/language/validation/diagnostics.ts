import { pointerToken } from '../template.ts';
import type { Diagnostic } from '../types.ts';

/** Collects every problem of a definition; the order is that of the definition. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];

  add(code: Diagnostic['code'], location: string, message: string): void {
    const known = this.list.some(
      (one) => one.code === code && one.location === location && one.message === message,
    );
    if (!known) this.list.push({ severity: 'ERROR', code, message, location });
  }

  /** The commonest code: a field that is unknown, missing or of the wrong kind. */
  schema(location: string, message: string): void {
    this.add('SCHEMA_VALIDATION_FAILED', location, message);
  }
}

/** JSON Pointer of a member or element below a pointer. */
export const below = (pointer: string, ...keys: (string | number)[]): string =>
  pointer + keys.map(pointerToken).join('');
