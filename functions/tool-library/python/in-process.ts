import { loadPyodide } from 'pyodide';
import type { Interpreter } from '#shared/sandbox/types.ts';
import type { Json } from '#shared/storage/ports.ts';

/** An interpreter in this process: parses, never executes a tool. */
export async function openInProcess(program: string): Promise<Interpreter> {
  const python = await loadPyodide();
  const scope = python.globals.get('dict')();
  const source = `${program}\nimport json as _json\ndef _call(name, args):\n    return _json.dumps(globals()[name](*_json.loads(args)))\n`;
  python.runPython(source, { globals: scope });
  const call = scope.get('_call') as (name: string, args: string) => string;
  return {
    call: async (name, ...args) => JSON.parse(call(name, JSON.stringify(args))) as Json,
    close: () => Promise.resolve(),
  };
}
