import { seededRng } from '#shared/determinism/rng.ts';

/** Value types of GGUF metadata. */
const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const STRING = 8;
const ARRAY = 9;

const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
};
const u64 = (value: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};
const f32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeFloatLE(value);
  return out;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

const SCALARS: Record<number, (value: never) => Buffer> = {
  [UINT32]: u32,
  [INT32]: u32,
  [FLOAT32]: f32,
  [STRING]: text,
};

function pair(key: string, type: number, value: unknown): Buffer {
  return Buffer.concat([text(key), u32(type), SCALARS[type]!(value as never)]);
}
function list(key: string, type: number, values: unknown[]): Buffer {
  return Buffer.concat([
    text(key),
    u32(ARRAY),
    u32(type),
    u64(values.length),
    ...values.map((value) => SCALARS[type]!(value as never)),
  ]);
}

const WIDTH = 32;
const HEADS = 4;
const INNER = 64;
const ALIGNMENT = 32;

/**
 * A whole GGUF (version 3) file of a Llama with one layer, 32 wide, random weights and a byte tokenizer: 259 tokens.
 * It says nothing sensible, but it loads, tokenizes and obeys a grammar.
 */
export function tinyGguf(): Buffer {
  const tokens = [
    '<unk>',
    '<s>',
    '</s>',
    ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  ];
  const metadata = [
    pair('general.architecture', STRING, 'llama'),
    pair('general.name', STRING, 'tiny'),
    pair('llama.context_length', UINT32, 2048),
    pair('llama.embedding_length', UINT32, WIDTH),
    pair('llama.block_count', UINT32, 1),
    pair('llama.feed_forward_length', UINT32, INNER),
    pair('llama.attention.head_count', UINT32, HEADS),
    pair('llama.attention.head_count_kv', UINT32, HEADS),
    pair('llama.rope.dimension_count', UINT32, WIDTH / HEADS),
    pair('llama.vocab_size', UINT32, tokens.length),
    pair('llama.attention.layer_norm_rms_epsilon', FLOAT32, 1e-5),
    pair('tokenizer.ggml.model', STRING, 'llama'),
    list('tokenizer.ggml.tokens', STRING, tokens),
    list(
      'tokenizer.ggml.scores',
      FLOAT32,
      tokens.map(() => 0),
    ),
    // Unknown, control, control, then bytes.
    list(
      'tokenizer.ggml.token_type',
      INT32,
      tokens.map((_, index) => (index === 0 ? 2 : index < 3 ? 3 : 6)),
    ),
    pair('tokenizer.ggml.unknown_token_id', UINT32, 0),
    pair('tokenizer.ggml.bos_token_id', UINT32, 1),
    pair('tokenizer.ggml.eos_token_id', UINT32, 2),
  ];
  const shapes: [string, number[]][] = [
    ['token_embd.weight', [WIDTH, tokens.length]],
    ['blk.0.attn_norm.weight', [WIDTH]],
    ['blk.0.attn_q.weight', [WIDTH, WIDTH]],
    ['blk.0.attn_k.weight', [WIDTH, WIDTH]],
    ['blk.0.attn_v.weight', [WIDTH, WIDTH]],
    ['blk.0.attn_output.weight', [WIDTH, WIDTH]],
    ['blk.0.ffn_norm.weight', [WIDTH]],
    ['blk.0.ffn_gate.weight', [WIDTH, INNER]],
    ['blk.0.ffn_up.weight', [WIDTH, INNER]],
    ['blk.0.ffn_down.weight', [INNER, WIDTH]],
    ['output_norm.weight', [WIDTH]],
    ['output.weight', [WIDTH, tokens.length]],
  ];
  const rng = seededRng('tiny-gguf');
  let offset = 0;
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  for (const [name, shape] of shapes) {
    const count = shape.reduce((product, size) => product * size, 1);
    const weights = Buffer.concat(
      Array.from({ length: count }, () => f32(name.includes('norm') ? 1 : (rng.next() - 0.5) / 2)),
    );
    const padded = Buffer.concat([
      weights,
      Buffer.alloc((ALIGNMENT - (weights.length % ALIGNMENT)) % ALIGNMENT),
    ]);
    // Dimensions, type F32 (0), offset into the data.
    infos.push(Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(0), u64(offset)]));
    data.push(padded);
    offset += padded.length;
  }
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(shapes.length),
    u64(metadata.length),
    ...metadata,
    ...infos,
  ]);
  return Buffer.concat([head, Buffer.alloc((ALIGNMENT - (head.length % ALIGNMENT)) % ALIGNMENT), ...data]);
}
