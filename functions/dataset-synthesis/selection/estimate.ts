import { costOf } from '#shared/models/ledger/cost.ts';
import { priceAt } from '#shared/models/registry.ts';
import type { Registry } from '#shared/models/types.ts';
import { countTokens } from '#shared/text/tokens.ts';
import type { SynthesisConfig } from '../config.ts';
import { DOMAINS, ROLE_KEYS, type RoleKey } from '../records.ts';
import { checkRole, examplesFor, filterRole, generateRole, identifyRole } from '../roles.ts';

/** What a job will probably, and can at worst, ask of its models (specification section 9). */

/** Share of documents that pass the filter, and of candidates that reach the judge: assumed until measured. */
export const FILTER_PASS = 0.7;
export const JUDGED = 0.8;

/** Output tokens a call as observed on small models; the worst case is the role's own maximum. */
const USUAL_OUTPUT: Record<RoleKey, number> = { filter: 80, identify: 90, generate: 180, check: 90 };

export interface Forecast {
  calls: number;
  tokensIn: number;
  tokensOut: number;
  costMicros: number;
  byRole: Record<RoleKey, { calls: number; tokensIn: number; tokensOut: number; costMicros: number }>;
}

export interface Estimate {
  documents: number;
  /** o200k_base tokens of the documents. */
  documentTokens: number;
  expected: Forecast;
  worst: Forecast;
  assumptions: { filterPass: number; personas: number; judged: number };
}

/**
 * Expected and worst calls, tokens and cost of analysing `documents` documents with `tokens` tokens in all.
 * @param pairs the candidates, where they are known already.
 */
export function estimate(
  config: SynthesisConfig,
  registry: Registry,
  documents: number,
  tokens: number,
  now: number,
  pairs?: number,
): Estimate {
  const { input } = config;
  const mean = documents === 0 ? 0 : tokens / documents;
  const identifies = !(input.domains.fixed !== undefined && input.personas.mode === 'instructor');
  const most = input.personas.mode === 'instructor' ? 1 : input.personas.max;
  const personas = Math.min(most, 2);
  const cap = input.limits.maxPairs ?? Infinity;
  const callsOf = (pass: number, each: number, judged: number): Record<RoleKey, number> => {
    const generate = pairs ?? Math.min(cap, documents * pass * each);
    return {
      filter: documents,
      identify: identifies ? documents * pass : 0,
      generate,
      check: generate * judged,
    };
  };
  const overhead = promptTokens(config);
  const forecast = (calls: Record<RoleKey, number>, output: (role: RoleKey) => number): Forecast => {
    const byRole = Object.fromEntries(
      ROLE_KEYS.map((role) => {
        const count = Math.ceil(calls[role]);
        const tokensIn = Math.ceil(count * (overhead[role] + mean));
        const tokensOut = Math.ceil(count * output(role));
        const costMicros = priceOf(registry, config.models[role], tokensIn, tokensOut, now);
        return [role, { calls: count, tokensIn, tokensOut, costMicros }];
      }),
    ) as Forecast['byRole'];
    const sum = (field: 'calls' | 'tokensIn' | 'tokensOut' | 'costMicros') =>
      ROLE_KEYS.reduce((total, role) => total + byRole[role][field], 0);
    return {
      calls: sum('calls'),
      tokensIn: sum('tokensIn'),
      tokensOut: sum('tokensOut'),
      costMicros: sum('costMicros'),
      byRole,
    };
  };
  return {
    documents,
    documentTokens: tokens,
    expected: forecast(callsOf(FILTER_PASS, personas, JUDGED), (role) => USUAL_OUTPUT[role]),
    worst: forecast(callsOf(1, most, 1), (role) => ROLES[role].params.maxOutputTokens ?? 1024),
    assumptions: { filterPass: FILTER_PASS, personas, judged: JUDGED },
  };
}

const ROLES = { filter: filterRole, identify: identifyRole, generate: generateRole, check: checkRole };

/** Tokens of each role's prompt without its document. */
function promptTokens({ input }: SynthesisConfig): Record<RoleKey, number> {
  const blank = { docId: 'd0', text: '' };
  const domain = input.domains.fixed ?? DOMAINS[0];
  const count = (messages: { content: unknown }[]): number =>
    countTokens(messages.map((m) => String(m.content)).join('\n'));
  return {
    filter: count(filterRole.render(blank)),
    identify: count(
      identifyRole.render({ ...blank, domains: [...DOMAINS], maxPersonas: input.personas.max }),
    ),
    generate: count(
      generateRole.render({
        ...blank,
        domain,
        persona: 'a reader',
        personaIndex: 0,
        personas: ['a reader'],
        answerTypes: input.answers.allow,
        examples: examplesFor(domain as (typeof DOMAINS)[number], 0, input.fewShot.count, input.seed),
      }),
    ),
    check: count(checkRole.render({ ...blank, question: '', answer: '' })),
  };
}

/** Micro-dollars at today's list price; a route counts as its dearest model, a free model as nothing. */
function priceOf(registry: Registry, name: string, tokensIn: number, tokensOut: number, now: number): number {
  const names = registry.routes.get(name)?.models ?? [name];
  return Math.max(
    0,
    ...names.map((model) => {
      const entry = registry.models.get(model);
      if (!entry || entry.billing === 'free') return 0;
      return costOf({ input: tokensIn, output: tokensOut }, priceAt(entry, now));
    }),
  );
}
