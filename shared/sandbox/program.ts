/**
 * Pyodide's two scripts as one program of ours: compiled once, when a snapshot is made, and from then on read as the
 * engine's own code, where parsing them takes a fifth of a restart. Compiled so they cannot import anything, either.
 */

const { readFileSync } = process.getBuiltinModule('node:fs');
const { Script } = process.getBuiltinModule('node:vm');

export interface Program<Python> {
  /** Runs the scripts, which look at once where they are: once, when Node hides. */
  run(): { loadPyodide(options: object): Promise<Python>; createPyodideModule: CreateModule };
  /** The engine's code for it, with all functions that ran until now. */
  code(): Buffer;
}

/** Makes Emscripten's module. */
export type CreateModule = (settings: object) => Promise<object>;

/** A module whose only statement about modules is one `export` at its end, as the body of a function. */
function bodyOf(source: string, name: string): string {
  const exported = /export\s*(?:\{([^{}]*)\}|default\s+(\w+))\s*;?\s*(?:\/\/[^\n]*\s*)*$/.exec(source);
  if (!exported) throw new Error(`${name} is not the script that this version knows`);
  const [, names, only] = exported;
  const result = only ? `return ${only};` : `return {${names!.replace(/(\w+)\s+as\s+(\w+)/g, '$2: $1')}};`;
  // No script has an address of its own here: it would only be used to find files beside it.
  const body = source.slice(0, exported.index).replaceAll('import.meta.url', '"file:///pyodide.asm.mjs"');
  return `(function () { "use strict"; ${body}\n${result} })`;
}

/** The program's text, out of the folder of the `pyodide` package. @throws Error when this is another version's. */
export function programText(folder: string): string {
  const part = (name: string): string => bodyOf(readFileSync(`${folder}/${name}`, 'utf8'), name);
  return `[${part('pyodide.mjs')}, ${part('pyodide.asm.mjs')}]`;
}

/** @param code what `code()` gave for the same text, engine and flags; other code is not used. */
export function compileProgram<Python>(text: string, code?: Buffer): Program<Python> {
  const script = new Script(text, {
    // Pyodide knows its own frames by this name.
    filename: 'pyodide.asm.mjs',
    ...(code ? { cachedData: code } : {}),
  });
  return {
    run: () => {
      const [loader, assembly] = script.runInThisContext() as [
        () => { loadPyodide(options: object): Promise<Python> },
        () => CreateModule,
      ];
      return { loadPyodide: loader().loadPyodide, createPyodideModule: assembly() };
    },
    code: () => script.createCachedData(),
  };
}
