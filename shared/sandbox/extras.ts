/**
 * What a function that starts Python processes itself (`openInterpreter`, the sandbox function) needs beside its bundle.
 * @example gate: { entry: 'tasks/gate.ts', …, ...PYTHON_EXTRAS }
 */
export const PYTHON_EXTRAS = { packages: ['pyodide'], modules: ['shared/sandbox/sandbox-child.ts'] };
