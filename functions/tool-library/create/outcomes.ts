import type { SandboxError, SandboxResult } from '#shared/sandbox/types.ts';
import type { RejectCode } from '../records.ts';

/** What a failed run of a tool is called (section 11). */

const CODES: Record<string, RejectCode> = {
  Timeout: 'TIMEOUT',
  OutOfMemory: 'OUT_OF_MEMORY',
  MemoryError: 'OUT_OF_MEMORY',
  StateTampered: 'STATE_TAMPERED',
  PackageUnavailable: 'PACKAGE_UNAVAILABLE',
  ModuleNotFoundError: 'PACKAGE_UNAVAILABLE',
};

export const codeOfError = ({ type }: SandboxError): RejectCode => CODES[type] ?? 'EXEC_ERROR';

/** The error in one line, with where it arose. */
export const errorText = ({ type, message, line }: SandboxError): string =>
  `${type}${line === undefined ? '' : ` (line ${line})`}: ${message.split('\n').at(-1)!.slice(0, 300)}`;

export const isOk = (result: SandboxResult | undefined): result is SandboxResult & { ok: true } =>
  result?.ok === true;
