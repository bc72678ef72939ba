import { EXIT } from './exit.ts';

/**
 * Ends the command quietly once nobody reads its output any more (`agentmill logs … | head`): a closed pipe is the
 * reader's wish, no fault to show a stack for. What was under way can be resumed, as after Ctrl-C.
 */
export function endWithReader(
  stream: Pick<NodeJS.WriteStream, 'on'>,
  exit: (code: number) => void = (code) => process.exit(code),
): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    exit(EXIT.interrupted);
  });
}
