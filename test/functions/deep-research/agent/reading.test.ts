import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFinal, readReply } from '#functions/deep-research/agent/reading/read.ts';
import type { StoredReply } from '#functions/deep-research/records.ts';

const TOOLS = ['search_internet', 'browse_page', 'code_interpreter', 'clean_memory'];
const read = (text: string, more: Partial<StoredReply> = {}) =>
  readReply({ text, finish: 'stop', ...more }, TOOLS);
const SEARCH = { name: 'search_internet', arguments: { query: 'a b' } };

describe('readReply', () => {
  it.each([
    ['as asked', '<tool_call>{"name": "search_internet", "arguments": {"query": "a b"}}</tool_call>', []],
    [
      'thinking first',
      '<think>hm {"name": 1}</think>\n<tool_call>{"name":"search_internet","arguments":{"query":"a b"}}</tool_call>',
      [],
    ],
    [
      'thinking without its opening',
      'hm</think><tool_call>{"name":"search_internet","arguments":{"query":"a b"}}</tool_call>',
      ['thinking'],
    ],
    [
      'special tokens',
      '<|im_start|>[TOOL_CALLS]<tool_call>{"name":"search_internet","arguments":{"query":"a b"}}</tool_call><|im_end|>',
      [],
    ],
    [
      'special tokens inside',
      '<tool_call><|python_tag|>{"name":"search_internet","arguments":{"query":"a b"}}</tool_call>',
      ['special_tokens'],
    ],
    ['no closing tag', '<tool_call>{"name":"search_internet","arguments":{"query":"a b"}}', ['carrier']],
    [
      'a fence',
      'Let me look:\n```json\n{"name":"search_internet","arguments":{"query":"a b"}}\n```',
      ['carrier'],
    ],
    ['a bare object', 'I call {"name":"search_internet","arguments":{"query":"a b"}} now', ['carrier']],
    [
      'single quotes',
      "<tool_call>{'name': 'search_internet', 'arguments': {'query': 'a b'}}</tool_call>",
      ['json'],
    ],
    [
      'trailing commas',
      '<tool_call>{"name":"search_internet","arguments":{"query":"a b",},}</tool_call>',
      ['json'],
    ],
    [
      'a comment',
      '<tool_call>{"name":"search_internet", // look\n"arguments":{"query":"a b"}}</tool_call>',
      ['json'],
    ],
    [
      'missing closers',
      '<tool_call>{"name":"search_internet","arguments":{"query":"a b"</tool_call>',
      ['json'],
    ],
    ['other keys', '<tool_call>{"tool":"web_search","args":{"q":"a b"}}</tool_call>', ['shape']],
    [
      'arguments as text',
      '<tool_call>{"name":"search_internet","arguments":"{\\"query\\": \\"a b\\"}"}</tool_call>',
      ['shape'],
    ],
    [
      'arguments beside the name',
      '<tool_call>{"name":"search_internet","query":"a b"}</tool_call>',
      ['shape'],
    ],
    [
      'an open fence and other keys',
      '<tool_call>{"function": "web_search", "input": {"query": "a b",}}',
      ['carrier', 'json', 'shape'],
    ],
  ])('reads a call: %s', (_, text, repairs) => {
    expect(read(text)).toEqual({ kind: 'call', call: SEARCH, more: 0, repairs });
  });

  it('reads Python literals, raw line breaks and numeric texts', () => {
    expect(
      read('<tool_call>{"name": "code_interpreter", "arguments": {"code": "x = 1\nprint(x)"}}</tool_call>'),
    ).toMatchObject({
      call: { arguments: { code: 'x = 1\nprint(x)' } },
      repairs: ['json'],
    });
    expect(
      read('<tool_call>{"name": "visit", "arguments": {"link": "u", "page": "2"}}</tool_call>'),
    ).toMatchObject({
      call: { name: 'browse_page', arguments: { url: 'u', section_id: 2 } },
    });
    expect(
      read('<tool_call>{"name": "x", "arguments": {"on": True, "off": None}}</tool_call>'),
    ).toMatchObject({
      call: { arguments: { on: true, off: null } },
    });
  });

  it('reads the calls of the endpoint', () => {
    const own = (argumentsText: string) =>
      read('', { finish: 'tool_calls', toolCalls: [{ name: 'search_internet', argumentsText }] });
    expect(own('{"query":"a b"}')).toEqual({ kind: 'call', call: SEARCH, more: 0, repairs: [] });
    expect(own('{"query":"a b",}')).toMatchObject({ call: SEARCH, repairs: ['json'] });
    expect(own('query a')).toMatchObject({ kind: 'error', code: 'bad_json' });
  });

  it('reads answers with and without citations', () => {
    expect(
      read('<think>x</think><answer>42 km<citations>[{"url": "u", "quote": "q"}]</citations></answer>'),
    ).toEqual({
      kind: 'answer',
      answer: { text: '42 km', citations: [{ url: 'u', quote: 'q' }] },
      repairs: [],
    });
    expect(read("<answer>42<citations>[{'url': 'u', 'quote': 'q'},]</citations></answer>")).toMatchObject({
      answer: { text: '42', citations: [{ url: 'u', quote: 'q' }] },
      repairs: ['json'],
    });
    expect(read('<answer>42')).toMatchObject({ answer: { text: '42' }, repairs: ['carrier'] });
    expect(read('<answer>42<citations>[1, {"url": "u"}]</citations></answer>')).toMatchObject({
      answer: { citations: [] },
    });
  });

  it.each([
    ['I think it is 42.', 'no_call_or_answer'],
    ['<tool_call>search for a</tool_call>', 'bad_json'],
    ['<think>on and on', 'unclosed_thinking'],
    ['done</think> and again <think>on', 'unclosed_thinking'],
    [
      '<answer>42</answer><tool_call>{"name":"search_internet","arguments":{}}</tool_call>',
      'call_and_answer',
    ],
    ['<answer> </answer>', 'empty'],
    ['   ', 'empty'],
    [
      Array.from({ length: 5 }, () => Array.from({ length: 20 }, (_, k) => `w${k}`).join(' ')).join(' '),
      'garbled',
    ],
    ['<tool_call>{"name":"search_internet","arguments":{"a":{"b":{"c":{"d":{"e":1</tool_call>', 'bad_json'],
  ])('names the fault of %j', (text, code) => {
    expect(read(text)).toMatchObject({ kind: 'error', code });
  });

  it('takes a table or a rule for no repetition', () => {
    expect(read(`<answer>${'-'.repeat(300)}\n${'| a | b |\n'.repeat(4)}</answer>`)).toMatchObject({
      kind: 'answer',
    });
  });

  it('[deep-research 10] 200 calls without closing tag: each repaired or reported, none unrecorded', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...TOOLS),
        fc.dictionary(
          fc.string({ minLength: 1, maxLength: 8 }),
          fc.oneof(fc.string(), fc.integer(), fc.boolean()),
        ),
        (name, args) => {
          const reading = read(`<tool_call>${JSON.stringify({ name, arguments: args })}`);
          if (reading.kind === 'call') expect(reading.repairs).toContain('carrier');
          else expect(reading).toMatchObject({ kind: 'error', code: expect.stringMatching(/^[a-z_]+$/) });
        },
      ),
      { numRuns: 200, seed: 10 },
    );
  });

  it('never throws, whatever the reply', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '<tool_call>',
        '</tool_call>',
        '<answer>',
        '</answer>',
        '<citations>',
        '</citations>',
        '<think>',
        '</think>',
        '```',
        '{"name":',
        '"arguments":{',
        '}',
        '<|x|>',
        '[TOOL_CALLS]',
        "'",
        '\\',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.constantFrom('stop', 'length'), (pieces, finish) => {
        const reply = { text: pieces.join(''), finish } as StoredReply;
        expect(['call', 'answer', 'error']).toContain(readReply(reply, TOOLS).kind);
        expect(['answer', 'error']).toContain(readFinal(reply, TOOLS).kind);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('readFinal', () => {
  it('takes untagged text whole, and the answer where there is one', () => {
    const final = (text: string) => readFinal({ text, finish: 'stop' }, TOOLS);
    expect(final('<think>x</think>It is 42, I believe.')).toMatchObject({
      answer: { text: 'It is 42, I believe.' },
      repairs: ['untagged'],
    });
    expect(final('so <answer>42</answer>')).toMatchObject({ answer: { text: '42' }, repairs: [] });
    expect(final('<answer>42, cut he')).toMatchObject({ answer: { text: '42, cut he' } });
    expect(final('<think>only thought')).toMatchObject({ kind: 'error', code: 'empty' });
  });
});
