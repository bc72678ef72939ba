import { afterAll, describe, expect, test } from 'vitest';
import { docstringOf, readDocstring } from '#functions/tool-library/analysis/docstring.ts';
import { readCall } from '#functions/tool-library/analysis/calls.ts';
import { closeAnalyser, parseTools, unparse } from '#functions/tool-library/python/analyser.ts';
import type { ModuleNode } from '#functions/tool-library/python/ast.ts';
import { refactor } from '#functions/tool-library/refactor/refactor.ts';
import { nodesOf } from '#functions/tool-library/analysis/literals.ts';

afterAll(closeAnalyser);

interface Source {
  code: string;
  call: string;
  /** It is a function of the version that a job extends. */
  merged?: boolean;
}

/** The docstring that tools become one function with. */
async function merged(sources: readonly Source[]) {
  const definition = nodesOf((await mergedCode(sources)).body).find(({ _ }) => _ === 'FunctionDef')!;
  return readDocstring(docstringOf(definition));
}

async function mergedCode(sources: readonly Source[]) {
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
      merged: sources[n]!.merged === true,
    };
  });
  const { functions } = refactor(tools, { widen: true, helpers: true });
  expect(functions).toHaveLength(1);
  return functions[0]!.code;
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

  test('a function of an earlier version keeps what it was merged from: subjects, names, phrases', async () => {
    const stall = (subject: string, goods: string, said: string): Source => ({
      code: `def ${subject}_profit(${goods}, cost, rent):\n    """Profit.\n\n    Args:\n        ${goods}: ${said}\n    """\n    return ${goods} * cost - rent\n`,
      call: `${subject}_profit(24, 3, 15)`,
    });
    const subjects = ['stall', 'bazaar', 'kiosk', 'market', 'fair', 'shop', 'booth', 'store'];
    const goods = ['muffins', 'tickets', 'roses', 'lamps', 'jars', 'kites', 'bricks', 'lemons'];
    const first = subjects.map((subject, n) => stall(subject, goods[n]!, `sells _ ${goods[n]!}`));
    const [v1] = await unparse([await mergedCode(first)]);
    const [name] = /(?<=def )\w+/.exec(v1!)!;
    const earlier = { code: v1!, call: `${name}(24, 3, 15)`, merged: true };
    const second = [earlier, stall('garage', 'tyres', 'fits _ tyres'), stall('barn', 'hens', 'keeps _ hens')];
    const v2 = await mergedCode(second);
    const said = (code: ModuleNode) =>
      readDocstring(docstringOf(nodesOf(code.body).find(({ _ }) => _ === 'FunctionDef')!));
    const { summary, parameters } = said(v2);
    expect(summary).toContain(`for ${subjects.join(', ')}, garage and barn.`);
    const line = [...parameters.values()].find((text) => text.includes('muffins'))!;
    // A first merger keeps six names and six phrases, a later one adds to them.
    for (const good of [...goods.slice(0, 6), 'tyres', 'hens']) expect(line).toContain(good);
    for (const phrase of ['"sells _ muffins"', '"sells _ kites"', '"fits _ tyres"', '"keeps _ hens"'])
      expect(line).toContain(phrase);
    // Once more, through the text: nothing is lost on the way.
    const [text] = await unparse([v2]);
    const [again] = /(?<=def )\w+/.exec(text!)!;
    const v3 = said(
      await mergedCode([
        { code: text!, call: `${again}(24, 3, 15)`, merged: true },
        stall('attic', 'books', 'holds _ books'),
      ]),
    );
    expect(v3.summary).toContain(`for ${subjects.join(', ')}, garage, barn and attic.`);
    expect([...v3.parameters.values()].find((each) => each.includes('muffins'))).toContain('"holds _ books"');
  });
});
