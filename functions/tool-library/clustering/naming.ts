import { wordsOfName } from '#shared/library/text.ts';
import { fold, wordsOf } from '#shared/text/stem.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';
import { asToolName } from './tree.ts';

type Named = { name: string; description: string; tags: string[] };

/** Tokens a node is named by. */
const TOKENS = 3;

/** The topic words of a tool, each once. */
export function topicTokens({ name, description, tags }: Named): Set<string> {
  const words = wordsOf(`${wordsOfName(name)} ${description} ${tags.join(' ')}`);
  return new Set(
    words
      .map(({ key }) => key.replace(/'s?$/, ''))
      .filter((word) => /^[a-z]{3,24}$/.test(word) && !STOP_WORDS.has(word)),
  );
}

/**
 * Names sibling groups of tools, each by its three tokens of highest TF-IDF: the share of its tools that have the
 * token, times how few siblings do. Ties go by alphabet.
 */
export function nameSiblings(groups: readonly (readonly Named[])[]): string[][] {
  const shares = groups.map((tools) => {
    const counts = new Map<string, number>();
    for (const tool of tools)
      for (const token of topicTokens(tool)) counts.set(token, (counts.get(token) ?? 0) + 1);
    return new Map([...counts].map(([token, count]) => [token, count / tools.length]));
  });
  const siblings = new Map<string, number>();
  for (const share of shares)
    for (const token of share.keys()) siblings.set(token, (siblings.get(token) ?? 0) + 1);
  return shares.map((share) =>
    [...share]
      .map(([token, tf]) => ({ token, score: tf * (1 + Math.log(groups.length / siblings.get(token)!)) }))
      .sort((a, b) => b.score - a.score || (a.token < b.token ? -1 : 1))
      .slice(0, TOKENS)
      .map(({ token }) => token),
  );
}

/** An id made of tokens that is no other node's and no tool's name. */
export function nodeId(
  tokens: readonly string[],
  taken: ReadonlySet<string>,
  toolNames: ReadonlySet<string>,
): string {
  const free = (id: string): boolean => !taken.has(id) && !toolNames.has(asToolName(id));
  const base = tokens.length === 0 ? 'topic' : fold(tokens.join('-')).slice(0, 56).replace(/-$/, '');
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`;
    if (free(id)) return id;
  }
}

/** What a builtin node says of itself: its words, and tools like those it is for. */
export const describeGroup = (tokens: readonly string[], tools: readonly Named[]): string =>
  `${tokens.length === 0 ? 'Tools' : tokens.join(', ')}; such as ${tools
    .slice(0, 2)
    .map(({ name }) => wordsOfName(name))
    .join(', ')}.`;
