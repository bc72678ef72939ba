import type { Observation } from '#shared/research/types.ts';
import type { Sandbox, SandboxResult, SandboxValue } from '#shared/sandbox/types.ts';

/** The tool code_interpreter (specification section 6): Python in the sandbox, a fresh process a call. */

export const PYTHON_TIMEOUT_MS = 300_000;
const MEMORY_MB = 256;
const MOST_CHARS = 20_000;

/** Modules that reach for the machine: refused before the program runs. The sandbox itself does not depend on it. */
const REFUSED = [
  'os',
  'sys',
  'subprocess',
  'socket',
  'signal',
  'multiprocessing',
  'threading',
  'ssl',
  'pdb',
  'resource',
  'xmlrpc',
  'ctypes',
  'js',
  'pyodide',
] as const;

const REFUSAL = /^Import of "[\w.]+" is not allowed\.$/;

/** Reads the program's syntax tree and raises for an import it may not make. One line, so that lines keep their number. */
const CHECK = `
def _check(source, refused):
    import ast
    def fail(name):
        raise ImportError('Import of "' + name + '" is not allowed.')
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in ("__import__", "import_module") and isinstance(node.args[0].value, str):
                names = [node.args[0].value]
        for name in names:
            if name.split(".")[0] in refused:
                fail(name)
`;

/** A Python literal of a text: JSON's escapes are Python's. */
const literal = (text: string): string => JSON.stringify(text.toWellFormed());

const guarded = (code: string): string => {
  const check = `exec(${literal(CHECK)}); _check(${literal(code)}, ${JSON.stringify(REFUSED)}); del _check`;
  return `${check}\n${code}`;
};

/**
 * Runs a program and tells what it printed, the value of its last expression, and how it failed.
 * @param seed of Python's `random`, so that repeating the call gives the same.
 */
export async function runPython(
  sandbox: Sandbox,
  code: string,
  options: { unitId: string; seed: number; timeoutMs?: number; signal?: AbortSignal },
): Promise<Observation> {
  const timeoutMs = options.timeoutMs ?? PYTHON_TIMEOUT_MS;
  const result = await sandbox.run(
    {
      id: options.unitId,
      language: 'python',
      code: guarded(code),
      timeoutMs,
      memoryMb: MEMORY_MB,
      seed: options.seed,
    },
    { unitId: options.unitId, ...(options.signal ? { signal: options.signal } : {}) },
  );
  return observationOf(result, timeoutMs);
}

export function observationOf(result: SandboxResult, timeoutMs: number): Observation {
  const printed = result.stdout.replace(/\n$/, '');
  const parts = printed === '' ? [] : [printed];
  let code: string | undefined;
  if (result.ok) {
    if (result.value !== null) parts.push(show(result.value));
  } else {
    const { type, message, line } = result.error;
    code = type === 'ImportError' && REFUSAL.test(message) ? 'refused_import' : codeOf(type);
    if (code === 'refused_import') parts.push(message);
    else if (type === 'Timeout') parts.push(`Stopped after ${timeoutMs / 1000} s.`);
    else if (type === 'OutOfMemory') parts.push(`Stopped: it needed more than ${MEMORY_MB} MB.`);
    else if (type === 'NotSerializable')
      parts.push('(The value of the last expression cannot be shown; print it.)');
    else {
      // The check stands on a line of its own before the program.
      const at = line !== undefined && line > 1 ? ` in line ${line - 1}` : '';
      parts.push(`${type}${at}: ${message}`);
    }
    if (type === 'NotSerializable') code = undefined;
  }
  const text = parts.join('\n') || '(no output)';
  const clipped = text.length > MOST_CHARS;
  return {
    tool: 'code_interpreter',
    text: clipped ? `${text.slice(0, MOST_CHARS)}\n[cut after ${MOST_CHARS} characters]` : text,
    ...(code === undefined ? {} : { code }),
    meta: clipped ? { truncated: true } : {},
  };
}

const codeOf = (type: string): string =>
  type === 'Timeout'
    ? 'timeout'
    : type === 'OutOfMemory'
      ? 'out_of_memory'
      : type === 'Crashed'
        ? 'crashed'
        : 'error';

/** A value as a person writes it: texts bare, tagged numbers by their digits, the rest as JSON. */
function show(value: SandboxValue): string {
  if (typeof value === 'string') return value;
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    const { $: kind, v } = value;
    if (typeof kind === 'string' && typeof v === 'string') return v;
    if (typeof kind === 'string' && Array.isArray(v)) {
      const open = kind === 'tuple' ? '()' : kind === 'set' || kind === 'frozenset' ? '{}' : '[]';
      return `${open[0]}${v.map(show).join(', ')}${open[1]}`;
    }
  }
  return JSON.stringify(value);
}
