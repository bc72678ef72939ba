import { seededRng } from '#shared/determinism/rng.ts';
import type { InferContext } from '#shared/models/context.ts';
import { Door } from '#shared/models/door/door.ts';
import { inferThrough, type Inference } from '#shared/models/door/infer.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import type { InferRequest, Provider, ProviderCall, ProviderReply } from '#shared/models/types.ts';
import type { Runtime } from '#shared/task/runtime.ts';

export type Answer = (call: ProviderCall, attempt: number) => Promise<ProviderReply> | ProviderReply;

/** A provider that answers as told and keeps every call. */
export function scripted(answer: Answer): Provider & { calls: ProviderCall[] } {
  const calls: ProviderCall[] = [];
  return {
    name: 'openai',
    calls,
    async call(call) {
      calls.push(call);
      return answer(call, calls.length);
    },
  };
}

export const reply = (text: string, input = 600, output = 300): ProviderReply => ({
  text,
  finish: 'stop',
  usage: { input, output },
  httpStatus: 200,
});

/** An entry of models.json that calls nothing real. */
export const model = (name: string, patch: Record<string, unknown> = {}): Record<string, unknown> => ({
  name,
  provider: 'openai',
  endpoint: { url: 'http://127.0.0.1:9/v1', auth: { type: 'none' } },
  contextTokens: 32_768,
  maxOutputTokens: 1000,
  billing: 'token',
  price: [{ from: '2020-01-01', inputPerMTok: 0.25, outputPerMTok: 2 }],
  limits: { rpm: 6_000_000, tpm: 6_000_000_000, concurrency: 64 },
  ...patch,
});

export const request = (id: string, patch: Partial<InferRequest> = {}): InferRequest => ({
  id,
  role: { name: 'test/role', version: '1' },
  model: 'm',
  messages: [{ role: 'user', content: `Say ${id}` }],
  ...patch,
});

export interface TestDoor {
  door: Door;
  ctx: InferContext;
  infer(request: InferRequest, patch?: Partial<InferContext>): Promise<Inference>;
}

/** A door of its own over a runtime's store: as another process would have. */
export function testDoor(
  runtime: Runtime,
  options: {
    models?: Record<string, unknown>[];
    routes?: Record<string, unknown>[];
    provider?: Provider | Record<string, Provider>;
    jobId?: string;
    deadline?: number;
    roleOf?: InferContext['roleOf'];
  } = {},
): TestDoor {
  const { provider } = options;
  const byName = provider && !('call' in provider) ? provider : undefined;
  const door = new Door(
    runtime,
    provider ? { providerOf: async (entry) => byName?.[entry.name] ?? (provider as Provider) } : {},
  );
  const ctx: InferContext = {
    jobId: options.jobId ?? 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa',
    workflow: 'test-workflow',
    stage: 'test',
    runtime,
    registry: parseRegistry({
      models: options.models ?? [model('m')],
      ...(options.routes ? { routes: options.routes } : {}),
    }),
    roleOf: options.roleOf ?? (async () => undefined),
    rng: seededRng('test'),
    ...(options.deadline === undefined ? {} : { deadline: options.deadline }),
  };
  return { door, ctx, infer: (one, patch) => inferThrough(door, one, { ...ctx, ...patch }) };
}
