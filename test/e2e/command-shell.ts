import { runProgram } from '#cli/program.ts';

/**
 * Runs one command line after the other in a process that has loaded the command once: what `cli/main.ts` does but for
 * its start, its signals and its end. Speaks `Order` and `Answer` over the IPC channel of `fork`.
 */
export interface Order {
  id: number;
  args: string[];
}
export interface Answer {
  id: number;
  code: number;
  stdout: string;
  stderr: string;
}

let stdout = '';
let stderr = '';

/** Stands for a stream's `write`, with both of its forms of arguments. */
const into =
  (keep: (text: string) => void) =>
  (chunk: string | Uint8Array, encoding?: unknown, written?: unknown): boolean => {
    keep(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    const callback = typeof encoding === 'function' ? encoding : written;
    if (typeof callback === 'function') (callback as () => void)();
    return true;
  };
process.stdout.write = into((text) => (stdout += text));
process.stderr.write = into((text) => (stderr += text));

let last: Promise<void> = Promise.resolve();
process.on('message', ({ id, args }: Order) => {
  last = last.then(async () => {
    [stdout, stderr] = ['', ''];
    const code = await runProgram(args, new AbortController().signal);
    process.send!({ id, code, stdout, stderr } satisfies Answer);
  });
});
