import type { ProviderDelta } from '../types.ts';

/** Turns deltas pushed by a callback into an iterable; `fail` makes the iteration throw. */
export function deltaQueue(): {
  push(delta: ProviderDelta): void;
  end(): void;
  fail(error: unknown): void;
  deltas: AsyncIterable<ProviderDelta>;
} {
  const waiting: ProviderDelta[] = [];
  let state: 'open' | 'ended' | { error: unknown } = 'open';
  let wake: (() => void) | undefined;
  const changed = (): void => {
    wake?.();
    wake = undefined;
  };
  async function* deltas(): AsyncGenerator<ProviderDelta> {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!;
      if (state === 'ended') return;
      if (state !== 'open') throw state.error;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return {
    push(delta) {
      waiting.push(delta);
      changed();
    },
    end() {
      state = 'ended';
      changed();
    },
    fail(error) {
      state = { error };
      changed();
    },
    deltas: deltas(),
  };
}
