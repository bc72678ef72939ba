import type { Runtime } from '#shared/task/runtime.ts';
import type { ModelEntry } from '../types.ts';
import { oidcToken, type Token } from './oidc.ts';
import { readSecret } from './secrets.ts';

/** Tokens are renewed this long before they expire. */
const EARLY_MS = 60_000;

/** Where an endpoint's bearer tokens come from. */
export interface TokenProvider {
  /** The current token; undefined where the endpoint wants none. */
  get(): Promise<Token | undefined>;
  /** A token newer than the one a server refused. Callers that were refused together share one refresh. */
  renew(refused: Token): Promise<Token | undefined>;
}

type Auth = NonNullable<ModelEntry['endpoint']['auth']>;

/** The token provider of an endpoint: none, a named secret, or OIDC workload identity. */
export function tokenProvider(auth: Auth, runtime: Pick<Runtime, 'kind' | 'env' | 'clock'>): TokenProvider {
  switch (auth.type) {
    case 'none':
      return { get: async () => undefined, renew: async () => undefined };
    case 'secret':
      return cachingTokens(
        async (fresh) => ({
          token: await readSecret(auth.secret, runtime, fresh),
          expiresAt: runtime.clock.now() + 360_000,
        }),
        runtime,
      );
    case 'oidc':
      return cachingTokens(() => oidcToken(auth.audience, runtime), runtime);
  }
}

/** Keeps a token until 60 s before its end; however many ask, one fetch is under way at a time. */
export function cachingTokens(
  fetchToken: (fresh: boolean) => Promise<Token>,
  { clock }: Pick<Runtime, 'clock'>,
): TokenProvider {
  let current: Token | undefined;
  let flight: Promise<Token> | undefined;
  const fetchOnce = (fresh: boolean): Promise<Token> => {
    flight ??= fetchToken(fresh)
      .then((token) => (current = token))
      .finally(() => {
        flight = undefined;
      });
    return flight;
  };
  const valid = (): Token | undefined =>
    current && (current.expiresAt === undefined || clock.now() < current.expiresAt - EARLY_MS)
      ? current
      : undefined;
  return {
    get: async () => valid() ?? fetchOnce(false),
    renew: async (refused) => {
      const now = valid();
      return now && now !== refused ? now : fetchOnce(true);
    },
  };
}
