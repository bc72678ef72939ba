import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { SynthesisConfig } from '../config.ts';
import { parseDomain, parsePersonas } from '../gates/analysis.ts';
import {
  domainNamed,
  DOMAINS,
  FilterOutputSchema,
  IdentifyOutputSchema,
  verdictOf,
  type Analysed,
  type Document,
  type Domain,
} from '../records.ts';
import { filterRole, identifyRole } from '../roles.ts';
import { failureOf, type Outcome } from './outcome.ts';

/** The two stages of a document: worth a question? and of which domain, for whom? Pure reducers. */

/** A document at its place in its part. */
export interface PlacedDocument {
  document: Document;
  part: string;
  /** From 1. */
  line: number;
}

const contentOf = ({ docId, title, text }: Document) => ({
  docId,
  ...(title === undefined ? {} : { title }),
  text,
});

export function filterRequest({ document }: PlacedDocument, config: SynthesisConfig): InferRequest {
  return requestFor(filterRole, contentOf(document), {
    id: `${document.docId}:filter`,
    model: config.models.filter,
    params: paramsOf('filter', config),
  });
}

export function filterOutcome(result: InferResult): Outcome<true> {
  const failure = failureOf(result);
  if (failure) return failure;
  const parsed = FilterOutputSchema.safeParse(result.output);
  if (!parsed.success) return unusable(result);
  const { qualified, reason, thought } = parsed.data;
  if (verdictOf(qualified)) return { status: 'ok', next: true };
  return { status: 'rejected', code: 'FILTER_REJECTED', evidence: { reason, thought } };
}

/** Undefined where domain and personas follow from the job's input alone. */
export function identifyRequest(
  { document }: PlacedDocument,
  config: SynthesisConfig,
): InferRequest | undefined {
  const { domains, personas } = config.input;
  if (domains.fixed !== undefined && personas.mode === 'instructor') return undefined;
  return requestFor(
    identifyRole,
    { ...contentOf(document), domains: [...DOMAINS], maxPersonas: personas.max },
    { id: `${document.docId}:identify`, model: config.models.identify, params: paramsOf('identify', config) },
  );
}

export function identifyOutcome(
  { document, part, line }: PlacedDocument,
  result: InferResult | undefined,
  config: SynthesisConfig,
): Outcome<Analysed> {
  const { domains, personas } = config.input;
  let said: { domain: string; personas: unknown } = { domain: '', personas: [] };
  if (result) {
    const failure = failureOf(result);
    if (failure) return failure;
    const parsed = IdentifyOutputSchema.safeParse(result.output);
    if (!parsed.success) return unusable(result);
    said = parsed.data;
  }
  const domain: Domain | undefined =
    domains.fixed === undefined ? parseDomain(said.domain) : domainNamed(domains.fixed);
  if (domain === undefined)
    return { status: 'rejected', code: 'DOMAIN_UNKNOWN', evidence: { domain: said.domain } };
  if (domains.only && !domains.only.some((name) => domainNamed(name) === domain)) {
    return { status: 'rejected', code: 'DOMAIN_EXCLUDED', evidence: { domain } };
  }
  const found =
    personas.mode === 'instructor' ? [`${domain} instructor`] : parsePersonas(said.personas, personas.max);
  if (found.length === 0) {
    return { status: 'rejected', code: 'PERSONA_MISSING', evidence: { personas: said.personas } };
  }
  const { docId, tokens, licence } = document;
  return { status: 'ok', next: { docId, part, line, domain, personas: found, tokens, licence } };
}

/** An output that passed the endpoint's schema check but not ours: treated as one that could not be parsed. */
export const unusable = (result: InferResult): Outcome<never> => ({
  status: 'failed',
  code: 'PARSE_ERROR',
  evidence: { error: 'SCHEMA_INVALID', raw: result.text },
});

/** The job's own temperature of a role and its seed; the rest are the role's defaults. */
export function paramsOf(role: 'filter' | 'identify' | 'generate' | 'check', config: SynthesisConfig) {
  const temperature = config.input.temperature[role];
  // Seeds of endpoints have 31 bits.
  return { seed: config.input.seed >>> 1, ...(temperature === undefined ? {} : { temperature }) };
}
