/** What the child takes away from JavaScript around the interpreter (specification tool-library, section 7, items 2 and 3). */

type Loose = Record<PropertyKey, unknown>;

const world = globalThis as unknown as Loose;

/** Reaching these through a found `process` would act on the host: the permission model does not cover signals. */
const PROCESS_METHODS = [
  'kill',
  '_kill',
  'abort',
  'reallyExit',
  'exit',
  'dlopen',
  'binding',
  '_linkedBinding',
  'chdir',
  'getBuiltinModule',
  'setuid',
  'setgid',
  'setgroups',
  'umask',
  'execve',
  '_debugProcess',
  '_debugEnd',
  '_startProfilerIdleNotifier',
];

const host = world['process'] as Loose;

/** Hides Node's `process`: the loader takes the process for a bare JavaScript shell. */
export function hideProcess(): void {
  Reflect.deleteProperty(world, 'process');
}

/** Takes the effects of `process` away, for whoever finds it. What the child needs of it, it has taken before. */
function disarmProcess(): void {
  const refused = (): never => {
    throw new Error('not here');
  };
  for (const name of PROCESS_METHODS) {
    // Writable, since parts of Node that load late put wrappers of their own there; the originals are gone either way.
    if (name in host) host[name] = refused;
  }
}

/** What only the loader needs, and what reaches out of the process. */
const GLOBALS = [
  'read',
  'readbuffer',
  'load',
  'fetch',
  'Request',
  'Response',
  'Headers',
  'FormData',
  'WebSocket',
  'EventSource',
  'Worker',
  'SharedArrayBuffer',
  'BroadcastChannel',
  'XMLHttpRequest',
  'navigator',
  'localStorage',
  'sessionStorage',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'global',
  // Classes of the web that no interpreter needs; a mere look at some of them loads a library.
  'CloseEvent',
  'MessageEvent',
  'MessageChannel',
  'MessagePort',
  'CustomEvent',
  'Blob',
  'File',
  'URLPattern',
  'TransformStream',
  'TransformStreamDefaultController',
  'WritableStream',
  'WritableStreamDefaultController',
  'WritableStreamDefaultWriter',
  'ReadableStream',
  'ReadableStreamDefaultReader',
  'ReadableStreamBYOBReader',
  'ReadableStreamBYOBRequest',
  'ReadableByteStreamController',
  'ReadableStreamDefaultController',
  'ByteLengthQueuingStrategy',
  'CountQueuingStrategy',
  'TextEncoderStream',
  'TextDecoderStream',
  'CompressionStream',
  'DecompressionStream',
  'Crypto',
  'CryptoKey',
  'SubtleCrypto',
  'Navigator',
];

/** Removes globals that nothing may find once the interpreter is up. */
export function removeGlobals(): void {
  disarmProcess();
  for (const name of GLOBALS) Reflect.deleteProperty(world, name);
}

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

/** Intrinsics that no global names. */
const unnamed = (): object[] => {
  const generator = function* () {};
  const asyncGenerator = async function* () {};
  const asyncFunction = async () => {};
  return [
    generator,
    asyncGenerator,
    asyncFunction,
    [][Symbol.iterator](),
    new Map().entries(),
    new Set().entries(),
  ].map((value) => Object.getPrototypeOf(value) as object);
};

/**
 * Freezes what JavaScript itself is made of: constructors, their prototypes and what these hold, so that nothing one
 * run does to them reaches the next.
 */
export function freezeIntrinsics(): void {
  const seen = new Set<object>();
  const freeze = (value: unknown, depth: number): void => {
    if (!isObject(value) || seen.has(value) || value === world || ArrayBuffer.isView(value)) return;
    seen.add(value);
    freeze(Object.getPrototypeOf(value), depth);
    if (depth > 0) {
      for (const key of Reflect.ownKeys(value)) {
        const property = Reflect.getOwnPropertyDescriptor(value, key)!;
        for (const part of [property.value, property.get, property.set]) freeze(part, depth - 1);
      }
    }
    Object.freeze(value);
  };
  for (const value of unnamed()) freeze(value, 2);
  for (const name of Object.getOwnPropertyNames(world)) {
    const { value } = Reflect.getOwnPropertyDescriptor(world, name)!;
    // Intrinsics and the platform's classes; the console has state of its own.
    if (
      typeof value === 'function' ||
      ['JSON', 'Math', 'Reflect', 'Atomics', 'WebAssembly', 'Intl'].includes(name)
    ) {
      freeze(value, 3);
    }
  }
}
