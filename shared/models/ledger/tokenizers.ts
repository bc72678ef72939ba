/** Tokenizers by their registry name, loaded when first used: their tables take tens of megabytes. */

type Count = (text: string) => number;

interface Encoding {
  countTokens(
    text: string,
    options?: { allowedSpecial?: Set<string>; disallowedSpecial?: Set<string> },
  ): number;
}

const LOADERS: Record<string, () => Promise<Encoding>> = {
  o200k_harmony: () => import('gpt-tokenizer/encoding/o200k_harmony'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
  p50k_base: () => import('gpt-tokenizer/encoding/p50k_base'),
  p50k_edit: () => import('gpt-tokenizer/encoding/p50k_edit'),
  r50k_base: () => import('gpt-tokenizer/encoding/r50k_base'),
};

const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

/** The token count of a tokenizer; o200k_base where the model names none (`bytes`). */
export async function countTokensOf(tokenizer: string): Promise<Count> {
  const load = LOADERS[tokenizer];
  if (!load) return (await import('#shared/text/tokens.ts')).countTokens;
  const { countTokens } = await load();
  return (text) => countTokens(text, PLAIN);
}
