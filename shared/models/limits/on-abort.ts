/** Calls back when the signal aborts; the returned function stops listening, so that long-lived signals stay short. */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (!signal) return () => undefined;
  const aborted = (): void => listener(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  return () => signal.removeEventListener('abort', aborted);
}
