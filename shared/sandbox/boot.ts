import type { FileSystem } from './files.ts';
import { hideProcess, removeGlobals } from './harden.ts';
import type { StoredHeap } from './heap.ts';
import { RANDOM_FILE } from './parts.ts';
import type { CreateModule, Program } from './program.ts';

/**
 * Loads Pyodide as a bare JavaScript shell would, out of files that are read beforehand: it never sees Node, so its
 * host file system, sockets, processes and packages are not wired at all (specification tool-library, section 7).
 */

// Not imported: an import of `node:fs` would load its streams and promises into every child.
const { openSync, readFileSync, readSync } = process.getBuiltinModule('node:fs');

/** What a booted interpreter is to the child: the few parts of Pyodide's interface it uses. */
export interface Python {
  runPython(code: string): unknown;
  globals: { get(name: string): unknown };
  pyimport(name: string): Record<string, unknown>;
  makeMemorySnapshot(): Uint8Array;
  setStdin(options: { stdin: () => null }): void;
  setStdout(options: { write: (bytes: Uint8Array) => number }): void;
  setStderr(options: { write: (bytes: Uint8Array) => number }): void;
  FS: FileSystem;
}

export interface Booted {
  python: Python;
  /** The present view of its memory. */
  heap: () => Uint32Array;
}

export interface BootOptions {
  /** Folder of the `pyodide` package. */
  pyodide: string;
  program: Program<Python>;
  /** The memory of an interpreter of the same build, or nothing: a cold start. */
  heap?: StoredHeap;
  /** The interpreter will be asked for a snapshot. */
  making?: boolean;
  /** Pure-Python wheels, put into the interpreter's file system before it starts. */
  wheels: { name: string; bytes: Uint8Array }[];
}

type Shell = Record<string, unknown>;

const shell = globalThis as unknown as Shell;

/** The little of WebAssembly's interface that is used here; Node's types leave it out. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const wasm = shell['WebAssembly'] as {
  Memory: { new (options: { initial: number }): Memory; prototype: Memory };
  instantiate(
    source: unknown,
    imports?: object,
  ): Promise<{ instance?: { exports: Record<string, unknown> } }>;
};
const PAGE = 65_536;
/** An empty lock file: there are no packages to load. */
const lockFile = (text: string): string =>
  JSON.stringify({ info: (JSON.parse(text) as { info: unknown }).info, packages: {} });

/**
 * The interpreter's memory, in bytes, that it may have from now on. Emscripten reads a failed `grow` as being out of
 * memory, which Python makes a MemoryError.
 */
export const memoryCap = { bytes: Number.MAX_SAFE_INTEGER };

function capMemory(): void {
  const { prototype } = wasm.Memory;
  const { grow } = prototype;
  Object.defineProperty(prototype, 'grow', {
    value(this: Memory, pages: number) {
      if (this.buffer.byteLength + pages * PAGE > memoryCap.bytes) throw new RangeError('memory limit');
      return grow.call(this, pages);
    },
  });
}

/** Tells of the interpreter's memory once it is made, with as much of it as a stored one needs. */
function instantiateFor(bytes: number, made: (memory: Memory) => void): () => void {
  const original = wasm.instantiate;
  wasm.instantiate = async (source, imports) => {
    const result = await original(source, imports);
    const memory = result.instance?.exports['memory'];
    if (memory instanceof wasm.Memory) {
      const missing = bytes - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
      made(memory);
    }
    return result;
  };
  return () => {
    wasm.instantiate = original;
  };
}

/** Fills with random bytes: from the system's file of them, since loading Node's own takes longer than all else here. */
function randomSource(): (bytes: Uint8Array) => void {
  try {
    const file = openSync(RANDOM_FILE, 'r');
    return (bytes) => {
      for (let at = 0; at < bytes.length;) at += readSync(file, bytes, at, bytes.length - at, null);
    };
  } catch {
    const random = crypto.getRandomValues.bind(crypto);
    return (bytes) => {
      for (let at = 0; at < bytes.length; at += PAGE)
        random(bytes.subarray(at, Math.min(bytes.length, at + PAGE)));
    };
  }
}

/** Random bytes for `os.urandom`: what Emscripten's shell path asks of a shell command. It has to stay. */
function randomShim(): void {
  const random = randomSource();
  const system = (_command: string, args: string[]): string => {
    const bytes = Buffer.alloc(Number(/head -c(\d+) /.exec(args[1] ?? '')?.[1] ?? 0));
    random(bytes);
    return bytes.toString('base64');
  };
  shell['os'] = Object.freeze({ system });
}

/** The interpreter's memory as words, whatever the interpreter's own views of it say; it may grow. */
function viewOf(memory: Memory): () => Uint32Array {
  let view = new Uint32Array(memory.buffer);
  return () => {
    const { buffer } = memory;
    if (view.buffer !== buffer) view = new Uint32Array(buffer);
    return view;
  };
}

/** Boots an interpreter. Only the files of `pyodide` are read, and all of them before anything hides. */
export async function boot(options: BootOptions): Promise<Booted> {
  const { heap } = options;
  const file = (name: string): Buffer => readFileSync(`${options.pyodide}/${name}`);
  const files = new Map<string, Buffer>(
    ['pyodide.asm.wasm', 'python_stdlib.zip'].map((name) => [`/${name}`, file(name)]),
  );
  const lock = lockFile(file('pyodide-lock.json').toString('utf8'));
  hideProcess();
  const missing = (path: string): never => {
    throw new Error(`no file ${path}`);
  };
  shell['read'] = missing;
  shell['load'] = missing;
  shell['readbuffer'] = (path: string): ArrayBuffer => {
    const { buffer, byteOffset, byteLength } = files.get(path) ?? missing(path);
    const whole = byteLength === buffer.byteLength;
    return (whole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
  };
  randomShim();
  capMemory();
  let memory: Memory | undefined;
  const restored = instantiateFor(heap?.bytes ?? 0, (made) => (memory = made));
  try {
    const scripts = options.program.run();
    const createPyodideModule: CreateModule = async (settings) => {
      const module = await scripts.createPyodideModule(settings);
      heap?.restore(memory!.buffer);
      return module;
    };
    const silent = { write: (bytes: Uint8Array) => bytes.length };
    const python = await scripts.loadPyodide({
      indexURL: '/',
      packageBaseUrl: '/',
      lockFileContents: lock,
      jsglobals: Object.create(null),
      createPyodideModule,
      enableRunUntilComplete: false,
      env: { HOME: '/home/python', PYTHONHASHSEED: '0' },
      stdin: () => null,
      stdout: () => undefined,
      stderr: () => undefined,
      fsInit: (fs: FileSystem) => {
        fs.mkdirTree('/wheels');
        for (const { name, bytes } of options.wheels) fs.writeFile(`/wheels/${name}`, bytes);
      },
      ...(options.making ? { _makeSnapshot: true } : {}),
      // The memory is there already: Pyodide reads what comes before it, and copies nothing.
      ...(heap ? { _loadSnapshot: heap.header } : {}),
    });
    python.setStdin({ stdin: () => null });
    python.setStdout(silent);
    python.setStderr(silent);
    return { python, heap: viewOf(memory!) };
  } finally {
    restored();
    removeGlobals();
  }
}
