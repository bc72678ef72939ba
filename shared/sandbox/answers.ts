import type { Json } from '#shared/storage/ports.ts';
import { LIMITS } from './limits.ts';
import type { SandboxResult } from './types.ts';

/** What a child said of a run, checked: the interpreter that wrote it ran hostile code. */
export interface Checked {
  result: SandboxResult;
  /** The interpreter has to go: it was changed, or is broken. */
  ended: boolean;
}

const TEXTS = new Set(['Decimal', 'int', 'float', 'expr', 'bytes']);
const LISTS = new Set(['tuple', 'set', 'frozenset']);
const PAIRS = new Set(['Fraction', 'complex']);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isTagged(kind: unknown, body: unknown): boolean {
  if (typeof kind !== 'string') return false;
  if (TEXTS.has(kind)) return typeof body === 'string';
  if (PAIRS.has(kind)) {
    return Array.isArray(body) && body.length === 2 && body.every((part) => typeof part === 'string');
  }
  if (LISTS.has(kind)) return Array.isArray(body) && body.every(isSandboxValue);
  return (
    kind === 'dict' &&
    Array.isArray(body) &&
    body.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isSandboxValue))
  );
}

/** Whether JSON is a value of the sandbox: tags are of the known kinds, with bodies of their form. */
export function isSandboxValue(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isSandboxValue);
  if (!isRecord(value)) return false;
  if (Object.hasOwn(value, '$')) return Object.keys(value).length === 2 && isTagged(value['$'], value['v']);
  return Object.values(value).every(isSandboxValue);
}

function readError(value: unknown): { type: string; message: string; line?: number } | undefined {
  if (!isRecord(value) || typeof value['type'] !== 'string' || typeof value['message'] !== 'string')
    return undefined;
  const line = value['line'];
  return {
    type: value['type'].slice(0, 200),
    message: value['message'].slice(0, LIMITS.messageChars),
    ...(Number.isSafeInteger(line) && (line as number) > 0 ? { line: line as number } : {}),
  };
}

/** Reads a child's answer to the request `id`; undefined when it is none. */
export function readAnswer(id: string, message: unknown): Checked | undefined {
  if (!isRecord(message)) return undefined;
  const { ms, answer, tampered, fatal } = message;
  if (typeof ms !== 'number' || !(ms >= 0)) return undefined;
  const broken = (type: string, text: string): Checked => ({
    result: { id, ok: false, error: { type, message: text.slice(0, LIMITS.messageChars) }, stdout: '', ms },
    ended: true,
  });
  if (typeof fatal === 'string') return broken('Crashed', `the interpreter broke: ${fatal}`);
  if (typeof tampered === 'string') return broken('StateTampered', `the run changed ${tampered}`);
  if (!isRecord(answer) || typeof answer['stdout'] !== 'string') return undefined;
  const stdout = answer['stdout'];
  if (Buffer.byteLength(stdout) > LIMITS.stdoutBytes) return undefined;
  if (answer['ok'] === true) {
    if (!Object.hasOwn(answer, 'value') || !isSandboxValue(answer['value'])) return undefined;
    return { result: { id, ok: true, value: answer['value'] as Json, stdout, ms }, ended: false };
  }
  const error = readError(answer['error']);
  if (answer['ok'] !== false || !error) return undefined;
  return { result: { id, ok: false, error, stdout, ms }, ended: error.type === 'OutOfMemory' };
}
