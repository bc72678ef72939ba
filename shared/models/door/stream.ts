import { cancelled } from '#shared/task/errors.ts';
import type { InferContext } from '../context.ts';
import type { InferEvent, InferRequest, ProviderDelta } from '../types.ts';
import type { Door } from './door.ts';
import { inferThrough } from './infer.ts';

/** A request's answer as events, in the order they come. */
export async function* streamThrough(
  door: Door,
  request: InferRequest,
  ctx: InferContext,
): AsyncGenerator<InferEvent> {
  const events: InferEvent[] = [];
  let wake: (() => void) | undefined;
  let over = false;
  let failure: unknown;
  // Whether the text given so far is all of it, or the endpoint cannot stream.
  let said = false;
  // Whether there are deltas that a reset would void.
  let given = false;
  const push = (event: InferEvent): void => {
    events.push(event);
    wake?.();
  };
  const stop = new AbortController();
  const signal = ctx.signal ? AbortSignal.any([ctx.signal, stop.signal]) : stop.signal;

  const running = inferThrough(
    door,
    request,
    { ...ctx, signal },
    {
      onModel: (model) => push({ type: 'start', model }),
      onReset: (reason) => {
        if (given) push({ type: 'reset', reason });
        said = given = false;
      },
      onDelta: (delta) => {
        const event = eventOf(delta);
        if (!event) return;
        said ||= event.type === 'text' || event.type === 'tool';
        given ||= event.type !== 'usage';
        push(event);
      },
    },
  )
    .then(({ result, trace }) => {
      if (!said && result.text) push({ type: 'text', delta: result.text });
      push({ type: 'end', result, trace });
    })
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => {
      over = true;
      wake?.();
    });

  try {
    for (;;) {
      while (events.length > 0) yield events.shift()!;
      if (over) break;
      await new Promise<void>((resolve) => (wake = resolve));
      wake = undefined;
    }
    if (failure) throw failure;
  } finally {
    // The reader went away: the call is stopped and settled.
    if (!over) stop.abort(cancelled('The reader of the stream stopped.'));
    await running;
  }
}

function eventOf(delta: ProviderDelta): InferEvent | undefined {
  return delta.type === 'finish' ? undefined : delta;
}
