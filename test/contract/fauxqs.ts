import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./fauxqs-child.ts', import.meta.url));

/** The SQS emulator in a child process. `bound` is every address it listens on. */
export async function fauxqsServer(): Promise<{
  endpoint: string;
  bound: AddressInfo[];
  close(): Promise<void>;
}> {
  const child = fork(CHILD, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
  const bound: AddressInfo[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The SQS emulator ended with ${code}.`)));
    child.on('message', (message: { address?: AddressInfo; ready?: true }) => {
      if (message.address) bound.push(message.address);
      if (message.ready) resolve();
    });
  });
  return {
    endpoint: `http://127.0.0.1:${bound[0]!.port}`,
    bound,
    close: async () => {
      const exit = once(child, 'exit');
      child.kill();
      await exit;
    },
  };
}
