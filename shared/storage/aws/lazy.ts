/** Loads once, at the first call; a failed load is tried again at the next. */
export function remembered<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}

/**
 * An object whose methods load what they need at the first call: SDK clients are most of a cold start, and most tasks
 * use few of them. `known` are the members that are there at once.
 */
export function lazily<T extends object>(load: () => Promise<T>, known: Partial<T> = {}): T {
  const loaded = remembered(load);
  return new Proxy(known as T, {
    get(target, name) {
      // An object with `then` would be taken for a promise.
      if (name in target || typeof name === 'symbol' || name === 'then')
        return Reflect.get(target, name) as unknown;
      return async (...values: unknown[]): Promise<unknown> => {
        const object = (await loaded()) as Record<string, (...values: unknown[]) => unknown>;
        return object[name]!(...values);
      };
    },
  });
}
