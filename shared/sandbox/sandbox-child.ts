import { boot, memoryCap, type Booted, type Python } from './boot.ts';
import { plainCall } from './calls.ts';
import { makeCanary, type Watch } from './canary.ts';
import { cleanFiles, cleanStateOf, lockFiles } from './files.ts';
import { freezeIntrinsics } from './harden.ts';
import { openHeap } from './heap.ts';
import { runnerSource } from './preload.ts';
import { compileProgram, programText, type Program } from './program.ts';
import { PARTS } from './parts.ts';

/**
 * The process that runs hostile Python. It reads requests from standard input and answers on standard output, both
 * synchronously: between two requests nothing else can run, no timer, no promise, no message.
 */

/** The first line: how to start. */
export interface ChildConfig {
  /** Begins every answer. Python never sees it. */
  nonce: string;
  pyodide: string;
  /** The folder of a snapshot, or nothing: a cold start. */
  snapshot: string | null;
  wheels: { name: string; path: string }[];
  packages: string[];
  /** `snapshot` answers with what a snapshot is made of and ends; `run` serves requests; `program` serves calls of our own program. */
  mode: 'snapshot' | 'run' | 'program';
  program?: string;
}

/** One request as it goes over the pipe. */
export type ChildRequest =
  // No code: that of the request before.
  | { code: string | null; setup: string | null; call: string | null; seed: number; memoryBytes: number }
  | { name: string; args: string; memoryBytes: number };

// Not imported: an import of `node:fs` would load its streams and promises into every child.
const { readFileSync, readSync: input, writeSync: out } = process.getBuiltinModule('node:fs');
const now = performance.now.bind(performance);
const { reallyExit } = process as unknown as { reallyExit(code: number): never };
const exit = reallyExit.bind(process);
const parse = JSON.parse;
const stringify = JSON.stringify;

/** Lines of standard input until it ends. */
function* lines(): Generator<string> {
  const chunk = Buffer.alloc(65_536);
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const end = rest.indexOf('\n');
    if (end >= 0) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      yield line;
      continue;
    }
    const size = input(0, chunk);
    if (size === 0) return;
    rest += decoder.decode(chunk.subarray(0, size), { stream: true });
  }
}

function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += out(1, bytes, at);
}

/** Where short answers are put together. */
const page = Buffer.alloc(4_096);

function answer(nonce: string, text: string): void {
  const line = `${nonce}${text}\n`;
  // No character takes more than three bytes.
  if (3 * line.length > page.length) write(Buffer.from(line));
  else write(page.subarray(0, page.write(line)));
}

interface Started extends Booted {
  program: Program<Python>;
  text: string;
}

/** Boots from the snapshot, or cold: imports what tools import and defines the runner. */
async function start(config: ChildConfig): Promise<Started> {
  const wheels = config.wheels.map(({ name, path }) => ({ name, bytes: readFileSync(path) }));
  const { pyodide, snapshot } = config;
  const text =
    snapshot === null ? programText(pyodide) : readFileSync(`${snapshot}/${PARTS.program}`, 'latin1');
  const code = snapshot === null ? undefined : readFileSync(`${snapshot}/${PARTS.code}`);
  const program = compileProgram<Python>(text, code);
  const heap = snapshot === null ? undefined : openHeap(`${snapshot}/${PARTS.heap}`);
  const booted = await boot({
    pyodide,
    wheels,
    program,
    making: config.mode === 'snapshot',
    ...(heap ? { heap } : {}),
  });
  if (!snapshot) booted.python.runPython(runnerSource(config.wheels, config.packages));
  return { ...booted, program, text };
}

/** Answers with the sizes of the parts, a line, and the parts. */
function giveSnapshot({ python, program, text }: Started): void {
  const memory = python.makeMemorySnapshot();
  // What a run needs is part of the program's code, too.
  const runner = python.pyimport('_agentmill_runner');
  (runner['prepare'] as Prepare)('def f(x):\n    return {"x": x}\n');
  (runner['run'] as Run)(undefined, undefined, 'f("1")', undefined, undefined, 1);
  const parts = [Buffer.from(text, 'latin1'), program.code(), memory];
  write(Buffer.from(`${stringify(parts.map((part) => part.length))}\n`));
  parts.forEach(write);
}

type Run = (
  code: string | undefined,
  setup: string | undefined,
  call: string | undefined,
  /** The call's parts, where it is a plain one. */
  name: string | undefined,
  args: string | undefined,
  seed: number,
) => string;
type Prepare = (code: string) => string | undefined;

function serveRuns(config: ChildConfig, { python, heap }: Booted, requests: Iterable<string>): void {
  const runner = python.pyimport('_agentmill_runner');
  const run = runner['run'] as Run;
  const prepare = runner['prepare'] as Prepare;
  const check = runner['check'] as () => string | undefined;
  const watch = (runner['watch'] as () => string)();
  (runner['hide'] as () => void)();
  const { FS: files } = python;
  lockFiles(files);
  const clean = cleanStateOf(files);
  freezeIntrinsics();
  const canary = makeCanary(parse(watch) as Watch, heap);
  /** What the run changed that it may not, after it was cleaned up. */
  const tampering = (): string | undefined => {
    cleanFiles(files, clean);
    const change = canary.changed();
    if (!change || change.sure) return change?.name;
    const name = check();
    if (name === undefined) canary.rearm();
    return name;
  };
  answer(config.nonce, '{"ready":true}');
  // Whether a compiled text may serve again is decided here, where no run reaches.
  let last = '';
  let prepared: string | undefined;
  /** Runs with a call execute the text as it was compiled before any of them ran. */
  const unprepared = (code: string): string | undefined => {
    if (code === prepared) return undefined;
    prepared = undefined;
    const answer = prepare(code);
    canary.compiled();
    if (answer === undefined) prepared = code;
    return answer;
  };
  for (const line of requests) {
    const request = parse(line) as Extract<ChildRequest, { code: string | null }>;
    memoryCap.bytes = request.memoryBytes;
    const began = now();
    let text: string;
    let change: string | undefined;
    try {
      const { setup, call, seed } = request;
      last = request.code ?? last;
      if (call === null) text = run(last, setup ?? undefined, undefined, undefined, undefined, seed);
      else {
        const plain = plainCall(call);
        text = unprepared(last) ?? run(undefined, setup ?? undefined, call, plain?.name, plain?.args, seed);
      }
      change = tampering();
    } catch (error) {
      // Python did not handle this: the interpreter is in no state to go on.
      const fatal = stringify(String((error as Error)?.message ?? error));
      answer(config.nonce, `{"ms":${since(began)},"fatal":${fatal}}`);
      return;
    }
    const tampered = change === undefined ? '' : `,"tampered":${stringify(change)}`;
    answer(config.nonce, `{"ms":${since(began)}${tampered},"answer":${text}}`);
    // What comes next must not run in what this run left: not even when the parent has not read the answer yet.
    if (change !== undefined) return;
  }
}

const since = (began: number): number => Math.round((now() - began) * 1000) / 1000;

/** Calls a function of our program with JSON arguments. */
const CALLER = `
def _agentmill_call(name, args):
    import json
    try:
        return '{"ok":true,"value":' + json.dumps(globals()[name](*json.loads(args))) + "}"
    except Exception as error:
        return json.dumps({"ok": False, "message": type(error).__name__ + ": " + str(error)})
`;

function serveProgram(config: ChildConfig, python: Python, requests: Iterable<string>): void {
  python.runPython(config.program ?? '');
  python.runPython(CALLER);
  const call = python.globals.get('_agentmill_call') as (name: string, args: string) => string;
  answer(config.nonce, '{"ready":true}');
  for (const line of requests) {
    const request = parse(line) as Extract<ChildRequest, { name: string }>;
    memoryCap.bytes = request.memoryBytes;
    answer(config.nonce, call(request.name, request.args));
  }
}

async function main(): Promise<void> {
  const requests = lines();
  const first = requests.next();
  if (first.done) return;
  const config = parse(first.value) as ChildConfig;
  const booted = await start(config);
  if (config.mode === 'snapshot') giveSnapshot(booted);
  else if (config.mode === 'program') serveProgram(config, booted.python, requests);
  else serveRuns(config, booted, requests);
}

main().then(
  () => exit(0),
  (error: unknown) => {
    out(2, String((error as Error)?.stack ?? error));
    exit(1);
  },
);
