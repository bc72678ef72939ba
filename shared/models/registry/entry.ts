import type { FieldProblem } from '#shared/task/errors.ts';
import type { ModelEntry } from '../types.ts';
import { CODEC_SUPPORT, TEMPLATE_NAMES } from '../codecs/support.ts';
import { isLoopback } from './loopback.ts';
import { EntrySchema, type Entry } from './schema.ts';

/** Providers in this process: they cost nothing and are limited by nothing but the machine. */
const LOCAL = new Set(['builtin', 'replay']);

/** Literals that are secrets themselves, where the name of one belongs. */
const SECRET_LITERAL = /^(?:sk-|hf_|gh[pousr]_|xox[a-z]-|AKIA|ASIA|eyJ|bearer\s|basic\s)|\s|^[0-9a-f]{32,}$/i;
const SECRET_NAME = /^[\w/+=.@:!-]{1,512}$/;

const LIMITS: Record<string, ModelEntry['limits']> = {
  builtin: { rpm: 60_000_000, tpm: 60_000_000_000, concurrency: 64 },
  replay: { rpm: 60_000_000, tpm: 60_000_000_000, concurrency: 64 },
  // One model, one thread, one sequence at a time.
  gguf: { rpm: 60_000, tpm: 60_000_000, concurrency: 1 },
};

/**
 * Reads one entry of models.json: defaults filled, every fault named by its field.
 * @param pointer JSON Pointer of the entry in its file, such as `/models/0`.
 */
export function readEntry(raw: unknown, pointer: string): { model?: ModelEntry; problems: FieldProblem[] } {
  const parsed = EntrySchema.safeParse(raw);
  if (!parsed.success) {
    return {
      problems: parsed.error.issues.flatMap((issue) => {
        const at = pointer + issue.path.map((step) => `/${String(step)}`).join('');
        if (issue.code === 'unrecognized_keys') {
          return issue.keys.map((key) => ({
            pointer: `${at}/${key}`,
            code: 'unknown',
            detail: `\`${key}\` is no field of a model; secrets in particular never stand in models.json, only \`auth.secret\`, which names one.`,
          }));
        }
        return [{ pointer: at, code: issue.code, detail: issue.message }];
      }),
    };
  }
  const entry = parsed.data;
  const problems: FieldProblem[] = [];
  const fault = (field: string, code: string, detail: string): void => {
    problems.push({ pointer: `${pointer}/${field}`, code, detail });
  };
  const model = withDefaults(entry);
  missing(entry, model, fault);
  endpointFaults(entry, fault);
  if (model.maxOutputTokens > model.contextTokens) {
    fault(
      'maxOutputTokens',
      'range',
      `maxOutputTokens ${model.maxOutputTokens} exceeds contextTokens ${model.contextTokens}.`,
    );
  }
  for (const feature of ['tools', 'images'] as const) {
    if (model.features[feature] && !CODEC_SUPPORT[model.codec][feature]) {
      fault(
        `features/${feature}`,
        'codec',
        `The codec \`${model.codec}\` cannot carry ${feature}; set it to false or use the codec \`openai\`.`,
      );
    }
  }
  const days = new Set<string>();
  model.price.forEach((price, index) => {
    if (days.has(price.from)) fault(`price/${index}/from`, 'duplicate', `Two prices start on ${price.from}.`);
    days.add(price.from);
  });
  return problems.length > 0 ? { problems } : { model, problems };
}

function withDefaults(entry: Entry): ModelEntry {
  const free = entry.provider === 'gguf' || LOCAL.has(entry.provider);
  const limits = { ...LIMITS[entry.provider], ...entry.limits };
  const {
    async: asynchronous,
    deploy,
    chatTemplate,
    limits: _limits,
    endpoint,
    features,
    price,
    ...rest
  } = entry;
  return {
    enabled: true,
    codec: 'openai',
    served: entry.name,
    revision: '1',
    contextTokens: 131_072,
    maxOutputTokens: Math.min(8192, entry.contextTokens ?? 8192),
    billing: free ? 'free' : entry.provider === 'openai' ? 'token' : 'hour',
    tokenizer: 'bytes',
    imageTokens: 4096,
    timeoutMs: entry.provider === 'gguf' ? 600_000 : 60_000,
    // JSON has no undefined: what is present is defined.
    ...(rest as Partial<ModelEntry> & Pick<ModelEntry, 'name' | 'provider'>),
    endpoint: {
      ...(entry.provider === 'replay' ? { mode: 'strict' as const } : {}),
      ...endpoint,
    } as ModelEntry['endpoint'],
    price: [...(price ?? [])].sort((a, b) => (a.from < b.from ? -1 : 1)) as ModelEntry['price'],
    limits: limits as ModelEntry['limits'],
    features: {
      jsonSchema: false,
      tools: false,
      streaming: false,
      images: false,
      reasoning: false,
      ...features,
    } as ModelEntry['features'],
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(deploy === undefined ? {} : { deploy }),
    ...(entry.provider === 'sagemaker-async'
      ? {
          async: {
            scaleToZero: true,
            ttlSeconds: 21_600,
            invocationTimeoutSeconds: 900,
            ...asynchronous,
          } as NonNullable<ModelEntry['async']>,
        }
      : {}),
  };
}

/** A named template, or a text that does not forget the conversation: anything else would be sent as it stands. */
const isTemplate = (text: string): boolean =>
  TEMPLATE_NAMES.some((name) => name === text) || (/\{[{%]/.test(text) && text.includes('messages'));

type Fault = (field: string, code: string, detail: string) => void;

function missing(entry: Entry, model: ModelEntry, fault: Fault): void {
  if (model.billing !== 'free' && model.price.length === 0) {
    fault(
      'price',
      'missing',
      'A price is required unless `billing` is `free`; an unknown price is never taken for 0.',
    );
  }
  for (const limit of ['rpm', 'tpm', 'concurrency'] as const) {
    if (model.limits[limit] === undefined)
      fault(`limits/${limit}`, 'missing', `The limit \`${limit}\` is required.`);
  }
  if (entry.async && entry.provider !== 'sagemaker-async') {
    fault('async', 'provider', `\`async\` is for the provider sagemaker-async, not ${entry.provider}.`);
  }
  if (LOCAL.has(entry.provider)) return;
  if (!entry.codec && entry.provider.startsWith('sagemaker')) {
    fault(
      'codec',
      'missing',
      'A codec is required: `openai` (chat/completions) or `generate` (TGI, LMI native).',
    );
  }
  if (entry.codec === 'generate' && entry.provider === 'openai') {
    fault(
      'codec',
      'provider',
      'The provider openai speaks chat/completions only: leave the codec out or set `openai`.',
    );
  }
  if (entry.codec === 'generate' && !entry.chatTemplate) {
    fault(
      'chatTemplate',
      'missing',
      `The codec \`generate\` needs \`chatTemplate\`: ${TEMPLATE_NAMES.join(', ')}, or the Jinja text of the model.`,
    );
  }
  if (entry.chatTemplate && !isTemplate(entry.chatTemplate)) {
    fault(
      'chatTemplate',
      'unknown',
      `\`${entry.chatTemplate.slice(0, 40)}\` is neither one of ${TEMPLATE_NAMES.join(', ')} nor Jinja text that renders \`messages\`.`,
    );
  }
  for (const field of ['contextTokens', 'maxOutputTokens'] as const) {
    if (entry[field] === undefined)
      fault(field, 'missing', `\`${field}\` is required: budgets reserve by it.`);
  }
}

function endpointFaults(entry: Entry, fault: Fault): void {
  const endpoint = entry.endpoint ?? {};
  const need = (field: 'name' | 'url' | 'file'): void => {
    if (endpoint[field] === undefined)
      fault(`endpoint/${field}`, 'missing', `The provider ${entry.provider} needs endpoint.${field}.`);
  };
  if (entry.provider.startsWith('sagemaker')) need('name');
  if (entry.provider === 'openai') need('url');
  if (entry.provider === 'gguf' || entry.provider === 'replay') need('file');
  if (endpoint.mode === 'record' && !endpoint.upstream) {
    fault(
      'endpoint/upstream',
      'missing',
      'The replay mode `record` needs endpoint.upstream: the model whose answers it records.',
    );
  }
  if (entry.provider === 'sagemaker-async') {
    for (const field of ['variant', 'inferenceComponent'] as const) {
      if (endpoint[field])
        fault(
          `endpoint/${field}`,
          'unsupported',
          `InvokeEndpointAsync knows no ${field}; name an endpoint of its own.`,
        );
    }
  } else if (endpoint.variant && endpoint.inferenceComponent) {
    fault('endpoint/inferenceComponent', 'exclusive', 'Give either variant or inferenceComponent, not both.');
  }
  if (endpoint.url) urlFaults(endpoint.url, fault);
  if (
    endpoint.auth?.type === 'secret' &&
    (SECRET_LITERAL.test(endpoint.auth.secret) || !SECRET_NAME.test(endpoint.auth.secret))
  ) {
    fault(
      'endpoint/auth/secret',
      'secret',
      '`auth.secret` is the name of a secret (or of an environment variable), never the secret itself.',
    );
  }
}

function urlFaults(text: string, fault: Fault): void {
  const url = new URL(text);
  if (url.username || url.password) {
    fault('endpoint/url', 'secret', 'The address must not contain a user name or password; use `auth`.');
  }
  if (url.search || url.hash)
    fault(
      'endpoint/url',
      'secret',
      'The address must have no query and no fragment; credentials belong in `auth`.',
    );
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    fault('endpoint/url', 'https', 'Only HTTPS is allowed, except on a loopback address.');
  }
}
