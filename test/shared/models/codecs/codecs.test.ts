import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codecOf } from '#shared/models/codecs/index.ts';
import { collectReply } from '#shared/models/codecs/collect.ts';
import { MAX_LINE_BYTES } from '#shared/models/codecs/lines.ts';
import {
  ProviderError,
  type InferRequest,
  type ModelEntry,
  type ProviderDelta,
} from '#shared/models/types.ts';
import { modelOf, requestOf } from '../providers/support.ts';

interface Golden {
  encode: {
    name: string;
    model: Record<string, unknown>;
    request: Partial<InferRequest>;
    stream?: boolean;
    body: unknown;
  }[];
  decode: { name: string; body: unknown; reply: unknown }[];
  stream: { name: string; lines: string[]; deltas: ProviderDelta[] }[];
}

const golden = (name: string): Golden =>
  JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8')) as Golden;

function modelFor(codec: string, entry: Record<string, unknown>): ModelEntry {
  return modelOf({
    name: 'qwen',
    provider: 'sagemaker',
    endpoint: { name: 'e' },
    codec,
    served: 'qwen3',
    ...(codec === 'generate' ? { chatTemplate: 'chatml' } : {}),
    ...entry,
  });
}

function decodeStream(codec: string, chunks: Iterable<Uint8Array>): ProviderDelta[] {
  const decoder = codecOf({ codec: codec as 'openai' }).streamDecoder();
  const deltas: ProviderDelta[] = [];
  for (const chunk of chunks) deltas.push(...decoder.push(chunk));
  deltas.push(...decoder.end());
  return deltas;
}

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof ProviderError ? error.code : String(error);
  }
  return 'none';
};

describe.each(['openai', 'generate'])('the codec %s', (name) => {
  const files = golden(name);

  it('never asks for more than the model may write, for no more is reserved', () => {
    const model = modelFor(name, { maxOutputTokens: 100 });
    const limitOf = (maxOutputTokens?: number): unknown => {
      const request = requestOf(maxOutputTokens === undefined ? {} : { params: { maxOutputTokens } });
      const body = codecOf(model).encode(request, model) as { parameters?: { max_new_tokens: number } };
      return body.parameters?.max_new_tokens ?? (body as { max_tokens?: number }).max_tokens;
    };
    expect([undefined, 7, 100, 5000].map(limitOf)).toEqual([100, 7, 100, 100]);
  });
  const codec = codecOf({ codec: name as 'openai' });

  it.each(files.encode.map((one) => [one.name, one] as const))(
    '[model-inference 5] encodes %s',
    (_name, one) => {
      const images = new Map([['images/a.png', 'data:image/png;base64,AAAA']]);
      const body = codec.encode(requestOf(one.request), modelFor(name, one.model), {
        stream: one.stream ?? false,
        images,
      });
      expect(JSON.parse(JSON.stringify(body))).toEqual(one.body);
    },
  );

  it.each(files.decode.map((one) => [one.name, one] as const))(
    '[model-inference 5] decodes %s',
    (_name, one) => {
      expect(codec.decode(one.body)).toEqual(one.reply);
    },
  );

  it.each(files.stream.map((one) => [one.name, one] as const))(
    '[model-inference 5] decodes the stream of %s, however it is cut',
    (_name, one) => {
      for (const newline of ['\n', '\r\n']) {
        const bytes = Buffer.from(one.lines.join(newline) + newline);
        expect(decodeStream(name, [bytes])).toEqual(one.deltas);
        // One cut at every place, then a cut after every byte.
        for (let cut = 1; cut < bytes.length; cut++) {
          expect(decodeStream(name, [bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(one.deltas);
        }
        expect(
          decodeStream(
            name,
            Array.from(bytes, (byte) => Uint8Array.of(byte)),
          ),
        ).toEqual(one.deltas);
      }
      // The last line may lack its end.
      expect(decodeStream(name, [Buffer.from(one.lines.join('\n').trimEnd())])).toEqual(one.deltas);
    },
  );

  it('calls a stream that ends early cut', () => {
    const bytes = Buffer.from(files.stream[0]!.lines.slice(0, 2).join('\n'));
    expect(codeOf(() => decodeStream(name, [bytes]))).toBe('BAD_RESPONSE');
    expect(codeOf(() => decodeStream(name, []))).toBe('BAD_RESPONSE');
  });

  it('refuses lines over 1 MiB, invalid UTF-8, lines that are no JSON and errors inside HTTP 200', () => {
    const pieces = Array.from({ length: 1025 }, () => Buffer.alloc(1024, 'x'));
    expect(codeOf(() => decodeStream(name, [Buffer.from('data: '), ...pieces]))).toBe('BAD_RESPONSE');
    expect(MAX_LINE_BYTES).toBe(1024 * 1024);
    expect(codeOf(() => decodeStream(name, [Buffer.from([0x64, 0xff, 0xfe, 0x0a])]))).toBe('BAD_RESPONSE');
    expect(codeOf(() => decodeStream(name, [Buffer.from('data: {"a":\n')]))).toBe('BAD_RESPONSE');
    expect(
      codeOf(() => decodeStream(name, [Buffer.from('event: error\ndata: {"error":{"message":"x"}}\n')])),
    ).toBe('BAD_RESPONSE');
    for (const body of [
      null,
      [],
      {},
      'text',
      7,
      { error: 'boom' },
      { error: { message: 'boom' } },
      { choices: [] },
      [{}, {}],
    ]) {
      expect(codeOf(() => codec.decode(body))).toBe('BAD_RESPONSE');
    }
  });

  it('never throws anything but BAD_RESPONSE, whatever the bytes', () => {
    const line = fc.oneof(
      fc.json(),
      fc.string(),
      fc.constantFrom(
        'data: [DONE]',
        ':',
        'event: x',
        'data:',
        'data: {"choices":[{"delta":{"tool_calls":[{"index":99999}]}}]}',
        'data: {"choices":[{"delta":null}]}',
        '{"token":{"text":5}}',
        '{"generated_text":null}',
        '{"details":{"finish_reason":"x"}}',
      ),
    );
    fc.assert(
      fc.property(fc.array(line), fc.boolean(), (lines, data) => {
        const text = lines.map((one) => (data ? `data: ${one}` : one)).join('\n');
        expect(['none', 'BAD_RESPONSE']).toContain(
          codeOf(() => collectReply(decodeStream(name, [Buffer.from(text)]))),
        );
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        expect(['none', 'BAD_RESPONSE']).toContain(codeOf(() => codec.decode(body)));
        expect(typeof codec.errorOf(500, body).message).toBe('string');
      }),
      { numRuns: 500 },
    );
  });
});

describe('the codecs’ traps', () => {
  it('refuses a finish reason of error inside HTTP 200', () => {
    const body = { generated_text: 'x', details: { 'finish reason': 'error', generated_tokens: 1 } };
    expect(codeOf(() => codecOf({ codec: 'generate' }).decode(body))).toBe('BAD_RESPONSE');
    const chat = { choices: [{ message: { content: 'x' }, finish_reason: 'error' }] };
    expect(codeOf(() => codecOf({ codec: 'openai' }).decode(chat))).toBe('BAD_RESPONSE');
  });

  it('refuses tools and images where model or format have none', () => {
    const tools = [{ name: 't', description: '', parameters: {} }];
    const image: InferRequest['messages'] = [
      { role: 'user', content: [{ type: 'image', key: 'k', sha256: '', mime: 'image/png', bytes: 1 }] },
    ];
    for (const name of ['openai', 'generate']) {
      const model = modelFor(name, {});
      const codec = codecOf(model);
      expect(codeOf(() => codec.encode(requestOf({ tools }), model))).toBe('BAD_REQUEST');
      expect(codeOf(() => codec.encode(requestOf({ messages: image }), model))).toBe('BAD_REQUEST');
    }
  });

  it('gives the same reply streamed and whole', () => {
    const reply = collectReply(
      golden('openai').stream.find(({ name }) => name === 'two tool calls in pieces')!.deltas,
    );
    expect(reply).toEqual({
      text: '',
      finish: 'tool_calls',
      toolCalls: [
        { id: 'c1', name: 'add', argumentsText: '{"x":1}' },
        { id: 'c2', name: 'sub', argumentsText: '{}' },
      ],
      usage: { input: 9, output: 4 },
    });
  });

  it('reads error bodies of every usual shape', () => {
    const { errorOf } = codecOf({ codec: 'openai' });
    expect(errorOf(400, { error: { message: 'too long', code: 'context_length_exceeded' } }).message).toBe(
      'too long context_length_exceeded',
    );
    expect(errorOf(400, { object: 'error', message: 'bad' }).message).toBe('bad');
    expect(errorOf(400, { detail: 'bad' }).message).toBe('bad');
    expect(errorOf(400, { error: 'bad', error_type: 'validation' }).message).toBe('bad validation');
    expect(errorOf(400, 'plain').message).toBe('plain');
    expect(errorOf(400, null).message).toBe('');
  });

  it.each([
    ['chatml', '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n'],
    [
      'llama3',
      '<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
    ],
    ['gemma', '<start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\n'],
    ['mistral', '[INST] S\n\nU [/INST]'],
    ['plain', 'system: S\n\nuser: U\n\nassistant:'],
    ['{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}', '<system>S<user>U'],
  ])('applies the chat template %s', (chatTemplate, prompt) => {
    const model = modelFor('generate', { chatTemplate });
    const messages: InferRequest['messages'] = [
      { role: 'system', content: 'S' },
      { role: 'user', content: [{ type: 'text', text: 'U' }] },
    ];
    expect(codecOf(model).encode(requestOf({ messages }), model).inputs).toBe(prompt);
  });

  it('calls a broken template a bad request', () => {
    const model = modelFor('generate', { chatTemplate: '{% for messages %}' });
    expect(codeOf(() => codecOf(model).encode(requestOf(), model))).toBe('BAD_REQUEST');
  });
});
