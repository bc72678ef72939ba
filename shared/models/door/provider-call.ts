import type { Clock } from '#shared/determinism/clock.ts';
import { collectReply } from '../codecs/collect.ts';
import type { Provider, ProviderCall, ProviderDelta, ProviderReply } from '../types.ts';

export type OnDelta = (delta: ProviderDelta) => void;

/** Calls a provider, streaming where the caller listens and the endpoint can. */
export async function callProvider(
  provider: Provider,
  call: ProviderCall,
  onDelta: OnDelta | undefined,
  clock: Clock,
): Promise<{ reply: ProviderReply; firstTokenMs?: number }> {
  if (!onDelta || !provider.stream || !call.model.features.streaming) {
    const reply = await provider.call(call);
    return { reply, ...(reply.firstTokenMs === undefined ? {} : { firstTokenMs: reply.firstTokenMs }) };
  }
  const started = clock.now();
  const deltas: ProviderDelta[] = [];
  let firstTokenMs: number | undefined;
  for await (const delta of provider.stream(call)) {
    if (firstTokenMs === undefined && delta.type !== 'usage')
      firstTokenMs = Math.round(clock.now() - started);
    deltas.push(delta);
    onDelta(delta);
  }
  return { reply: collectReply(deltas), ...(firstTokenMs === undefined ? {} : { firstTokenMs }) };
}
