import { afterAll, describe, expect, test } from 'vitest';
import { docstringOf, readDocstring } from '#functions/tool-library/analysis/docstring.ts';
import { readCall } from '#functions/tool-library/analysis/calls.ts';
import { closeAnalyser, parseTools } from '#functions/tool-library/python/analyser.ts';
import { refactor } from '#functions/tool-library/refactor/refactor.ts';
import { nodesOf } from '#functions/tool-library/analysis/literals.ts';

afterAll(closeAnalyser);

/** The docstring that tools become one function with. */
async function merged(sources: readonly { code: string; call: string }[]) {
  const codes = await parseTools(sources.map(({ code }) => code));
  const calls = await parseTools(sources.map(({ call }) => call));
  const tools = sources.map((_, n) => {
    const [code, call] = [codes[n]!, calls[n]!];
    if (!code.ok || !call.ok) throw new Error('does not parse');
    const shape = readCall(code.ast, call.ast);
    if (typeof shape === 'string') throw new Error(shape);
    const { entry } = shape;
    return {
      id: `t_${n}`,
      name: entry,
      entry,
      description: '',
      ast: code.ast,
      cases: [{ id: `c_${n}`, shape }],
    };
  });
  const { functions } = refactor(tools, { widen: true, helpers: true });
  expect(functions).toHaveLength(1);
  const definition = nodesOf(functions[0]!.code.body).find(({ _ }) => _ === 'FunctionDef')!;
  return readDocstring(docstringOf(definition));
}

describe('what a merged function says of itself', () => {
  test('its formula as sums are written, and how its sources spoke of each parameter', async () => {
    const { summary, parameters } = await merged([
      {
        code: 'def stall_profit(muffins, price, rent):\n    """Profit.\n\n    Args:\n        muffins: sells _ muffins at\n        price: at $_ each\n    """\n    return (muffins - rent) * price / 2',
        call: 'stall_profit(24, 3, 15)',
      },
      {
        code: 'def club_profit(tickets, fee, wages):\n    """Profit.\n\n    Args:\n        tickets: the club sold _ "tickets"\n        fee: at $_ each\n    """\n    return (tickets - wages) * fee / 4',
        call: 'club_profit(10, 5, 2)',
      },
    ]);
    expect(summary).toMatch(/^Profit from .*, for stall and club\. Gives /);
    expect(summary).toMatch(/Gives \((\w+) − ([\w ]+)\) × (\w+) ÷ (\w+)\.$/);
    const [first, , third] = parameters.values();
    expect(first).toBe('muffins or tickets; as in "sells _ muffins at", "the club sold _ tickets".');
    expect(third).toBeDefined();
    expect([...parameters.values()].filter((text) => text.includes('as in "at $_ each".'))).toHaveLength(1);
  });

  test('no formula where a function is more than one sum', async () => {
    const { summary } = await merged([
      {
        code: 'def words(text):\n    """Words."""\n    return len(text.split())',
        call: 'words("a b")',
      },
      {
        code: 'def lines(lyrics):\n    """Lines."""\n    return len(lyrics.split())',
        call: 'lines("a b c")',
      },
    ]);
    expect(summary).not.toContain('Gives');
  });
});
