import './heap.ts';
import './compile-cache.ts';
import { endWithReader } from './closed-pipe.ts';
import { EXIT } from './exit.ts';

endWithReader(process.stdout);
endWithReader(process.stderr);

const interrupt = new AbortController();
let signals = 0;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    signals += 1;
    // The first asks for an orderly stop; the second means now. Either way the job can be resumed.
    if (signals > 1) process.exit(EXIT.interrupted);
    interrupt.abort();
  });
}

// What is imported only now is read from the cache.
const { runProgram } = await import('./program.ts');
const exitCode = await runProgram(process.argv.slice(2), interrupt.signal);
// Results may be long and piped: leave only after they are written.
process.stdout.write('', () => process.exit(exitCode));
