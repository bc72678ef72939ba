import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import { allRows } from '#functions/tool-library/io.ts';
import { keys } from '#functions/tool-library/keys.ts';
import type { BlueprintInput } from '#functions/tool-library/roles/blueprint.ts';
import type { PatchCodeInput } from '#functions/tool-library/roles/patch-code.ts';
import type { Code } from '#functions/tool-library/roles/refactoring.ts';
import type { ReviewBlueprintInput } from '#functions/tool-library/roles/review-blueprint.ts';
import type { WriteCodeInput } from '#functions/tool-library/roles/write-code.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import type { Case, LibraryTool, Tool } from '#shared/library/types.ts';
import type { InferRequest } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { refactorTools, toolsOf } from './refactor-loop.ts';
import type { Script } from './shard-loop.ts';

afterAll(async () => {
  await closeSandboxes();
  await closeAnalyser();
});

const MUFFIN = {
  code: 'def muffin_profit(muffins, price):\n    revenue = muffins * price\n    return revenue - muffins * 0.5 - 15\n',
  call: 'muffin_profit(24, 3)',
  answer: 45,
};
const CAR = {
  code: 'def car_wash_profit(fee, cars, soap_cost):\n    return cars * fee - cars * soap_cost - 10\n',
  call: 'car_wash_profit(12, 8, 1)',
  answer: 78,
};
const ROSE = {
  code: 'def rose_profit(roses, price, wrap_cost):\n    earned = price * roses\n    spent = roses * wrap_cost\n    return earned - spent - 15\n',
  call: 'rose_profit(30, 2, 0.25)',
  answer: 37.5,
};
const PROFIT = 'profit_from_quantity_and_price';

const BREAD = {
  code: 'def bread_share(loaves, people):\n    check = 1 / (loaves - 2)\n    return loaves * 12 / people + 1\n',
  call: 'bread_share(3, 4)',
  answer: 10,
};
const CAKE = {
  code: 'def cake_share(cakes, guests):\n    return cakes * 16 / guests + 3\n',
  call: 'cake_share(3, 4)',
  answer: 15,
};
const ROW = {
  code: 'def row_cost(rows, price):\n    return rows * price * 2\n',
  call: 'row_cost(2, 3)',
  answer: 12,
};
const SEAT = {
  code: 'def seat_cost(seats, price, fee):\n    return seats * price * 2 + fee\n',
  call: 'seat_cost(2, 3, 1)',
  answer: 13,
};
const AISLE = {
  code: 'def aisle_cost(aisles, price):\n    return aisles * price * 3\n',
  call: 'aisle_cost(2, 4)',
  answer: 24,
};
const DOZEN = { code: 'def dozen(boxes):\n    return boxes * 12\n', call: 'dozen(2)', answer: 24 };
const MUFFIN_TOO = {
  ...CAR,
  code: CAR.code.replace('car_wash', 'muffin'),
  call: 'muffin_profit(12, 8, 1)',
};
const MUFFIN_TRAYS = {
  code: 'def muffin_profit(trays):\n    return trays * 12\n',
  call: 'muffin_profit(2)',
  answer: 24,
};
const ALL = [MUFFIN, CAR, ROSE, BREAD, CAKE, ROW, SEAT, AISLE, DOZEN, MUFFIN_TOO, MUFFIN_TRAYS];

/** All tools, admitted in one go: each test takes some. */
let admitted: { tools: Tool[]; cases: Case[] };
const some = (...rows: (typeof ALL)[number][]): { tools: Tool[]; cases: Case[] } => {
  const tools = rows.map((row) => admitted.tools.find(({ code }) => code.trim() === row.code.trim())!);
  const ids = new Set(tools.map(({ id }) => id));
  return { tools, cases: admitted.cases.filter(({ toolId }) => ids.has(toolId)) };
};
let three: { tools: Tool[]; cases: Case[] };
beforeAll(async () => {
  admitted = await toolsOf(ALL);
  three = some(MUFFIN, CAR, ROSE);
}, 120_000);

const is = (name: string) => (request: InferRequest) => request.role.name === `tool-library/${name}`;
const [blueprints, widens, reviewsDesign, writes, patches, reviewsCode] = [
  'blueprint',
  'widen-blueprint',
  'review-blueprint',
  'write-code',
  'patch-code',
  'review-code',
].map(is);

const SIB = { name: 'stall', description: 'Selling things.', classes: [], functions: [] };
/** A design whose one scenario covers tools by their numbers in the prompt, found by name. */
const covering = (request: InferRequest, names: string[]) => {
  const { tools } = request.input as BlueprintInput;
  return {
    sibs: [{ ...SIB, covered: tools.filter(({ name }) => names.includes(name)).map(({ number }) => number) }],
  };
};
const draftOf = (request: InferRequest): Code => (request.input as WriteCodeInput).analysis.draft;

describe('from clusters to a library', () => {
  it('[tool-library 10] the three tools of section 6 become one function with three mapped calls', async () => {
    const { library, modules, report, sibs, notes, asked } = await refactorTools(three);
    expect(library).toHaveLength(1);
    const [tool] = library;
    expect(tool).toMatchObject({ name: PROFIT, entry: PROFIT, path: ['tools', 'topic 1'], aliases: [] });
    expect(tool!.code).toContain(`def ${PROFIT}(quantity, price, cost=0.5, amount=15):`);
    expect(tool!.code).toMatch(/ {4}return quantity \* price - quantity \* cost - amount$/);
    expect(tool!.mapping.map(({ call }) => call).sort()).toEqual([
      `${PROFIT}(quantity=24, price=3, cost=0.5, amount=15)`,
      `${PROFIT}(quantity=30, price=2, cost=0.25, amount=15)`,
      `${PROFIT}(quantity=8, price=12, cost=1, amount=10)`,
    ]);
    expect(tool!.schema).toMatchObject({ required: ['quantity', 'price'], additionalProperties: false });
    expect(tool!.lineage.parents).toEqual(three.tools.map(({ id }) => id).sort());
    expect(tool!.sibId).toBe(sibs[0]!.id);
    expect(modules).toEqual([]);
    expect(notes).toEqual([]);
    expect(report).toMatchObject({
      counts: { in: 3, tools: 1, aggregated: 1, superseded: 3, kept: 0, reinstated: 0, cases: 3 },
      losslessness: { cases: 3, passing: 3, coverage: 1 },
      compression: 3,
      partial: false,
    });
    // What the code agent is shown holds the calls, not what they must give.
    const [write] = asked.filter((each) => writes!(each));
    expect(JSON.stringify(write!.messages)).not.toContain('37.5');
  });

  it('[tool-library 15] a scenario covering 1 and 3: those are reviewed; 2 gets a second pass, then is kept', async () => {
    const reviewed: string[] = [];
    const script: Script = (request) => {
      if (blueprints!(request)) {
        const first = (request.input as BlueprintInput).tools.length === 3;
        return first ? covering(request, ['muffin_profit', 'rose_profit']) : { sibs: [] };
      }
      if (widens!(request)) return { sib: (request.input as { sib: object }).sib };
      if (reviewsDesign!(request)) reviewed.push((request.input as ReviewBlueprintInput).tool.name);
      return undefined;
    };
    const { asked, library, notes, sibs } = await refactorTools(three, { script });
    expect(reviewed.sort()).toEqual(['muffin_profit', 'rose_profit']);
    const passes = asked
      .filter((each) => blueprints!(each))
      .map(({ input }) => (input as BlueprintInput).tools);
    expect(passes.map((tools) => tools.map(({ name }) => name).sort())).toEqual([
      ['car_wash_profit', 'muffin_profit', 'rose_profit'],
      ['car_wash_profit'],
    ]);
    expect(sibs).toHaveLength(1);
    expect(notes.map(({ code }) => code)).toEqual(['NOT_COVERED']);
    const kept = library.find(({ name }) => name === 'car_wash_profit')!;
    expect(kept.keptBecause).toContain('No scenario');
    expect(kept.code.trim()).toBe(CAR.code.trim());
    expect(library).toHaveLength(2);
  });

  it('asks for another widening only where a review wants one, with its suggestions', async () => {
    const suggestions: string[][] = [];
    const script: Script = (request) => {
      if (widens!(request)) {
        const input = request.input as { sib: object; suggestions: string[] };
        suggestions.push(input.suggestions);
        return { sib: input.sib };
      }
      if (reviewsDesign!(request) && (request.input as ReviewBlueprintInput).tool.name === 'rose_profit')
        return {
          verdict: 'NEED_PATCHING',
          reason: 'no wrapping',
          suggestions: ['Add the cost of wrapping.'],
        };
      return undefined;
    };
    await refactorTools(three, { script });
    expect(suggestions).toEqual([[], ['Add the cost of wrapping.']]);
  });

  it('[tool-library 16] a scenario with three functions and one class: three entries, one module', async () => {
    const module = 'class Stall:\n    def __init__(self, rent):\n        self.rent = rent\n';
    const names = ['muffin_gain', 'car_gain', 'rose_gain'];
    const codes = [
      'def muffin_gain(muffins, price):\n    return muffins * price - muffins * 0.5 - Stall(15).rent',
      'def car_gain(fee, cars, soap):\n    return cars * fee - cars * soap - Stall(10).rent',
      'def rose_gain(roses, price, wrap):\n    return roses * price - roses * wrap - Stall(15).rent',
    ];
    const script: Script = (request) => {
      if (!writes!(request)) return undefined;
      const { tools } = request.input as WriteCodeInput;
      const mapping = tools.flatMap(({ name, cases }) =>
        cases.map(({ caseId, call }) => {
          const at = ['muffin_profit', 'car_wash_profit', 'rose_profit'].indexOf(name);
          return { caseId, call: call.replace(name, names[at]!) };
        }),
      );
      return { module, functions: names.map((name, n) => ({ name, code: codes[n]! })), mapping };
    };
    const { library, modules, results } = await refactorTools(three, { script });
    expect(results[0]).toMatchObject({ accepted: true, rounds: 1 });
    expect(library.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(modules).toHaveLength(1);
    expect(new Set(library.map(({ moduleId }) => moduleId))).toEqual(new Set([modules[0]!.id]));
    expect(modules[0]!.code).toContain('class Stall');
    for (const { code } of library) expect(code).not.toContain('class');
  });

  it('[tool-library 17] feedback is verbatim in the next code request; after round 3 the original stays, with the reason', async () => {
    const said = 'Wrapping is counted twice. Beware of "quotes" & <tags>.';
    const script: Script = (request) => {
      if (writes!(request) || patches!(request)) {
        const draft = draftOf(request);
        // Roses come out wrong whatever is said.
        const mapping = draft.mapping.map((each) => ({
          ...each,
          call: each.call.replace('cost=0.25', 'cost=0.5'),
        }));
        return { ...draft, mapping };
      }
      if (reviewsCode!(request)) {
        const { executions } = request.input as { executions: { caseId: string; passed: boolean }[] };
        const caseId = executions.find(({ passed }) => !passed)!.caseId;
        return {
          verdict: 'FAIL',
          feedback: [{ caseId, problem: said, suggestion: 'Map cost to wrap_cost.' }],
        };
      }
      return undefined;
    };
    // The builtin code agent would leave the tool out: this one insists.
    const { asked, library, results, report } = await refactorTools(three, {
      script,
      input: { rounds: { aggregate: 2 } },
    });
    const [patch] = asked.filter((each) => patches!(each));
    const { feedback } = patch!.input as PatchCodeInput;
    expect(feedback.map(({ problem }) => problem)).toEqual([said]);
    const text = patch!.messages.map(({ content }) => content as string).join('\n');
    expect(text).toContain('Wrapping is counted twice. Beware of "quotes" & ');
    expect(text).toContain('suggestion: Map cost to wrap_cost.');
    expect(results[0]).toMatchObject({ accepted: false, rounds: 2 });
    const kept = library.find(({ name }) => name === 'rose_profit')!;
    expect(kept.keptBecause).toMatch(/^NOT_EQUIVALENT: .*gives 30, the source gives 37.5/);
    // The other two passed, and the review had nothing against them.
    expect(library).toHaveLength(2);
    expect(report.losslessness.coverage).toBe(1);
  });

  it('a third round that is accepted after two rejections supersedes all', async () => {
    let reviews = 0;
    const script: Script = (request) => {
      if (patches!(request)) return draftOf(request);
      if (!reviewsCode!(request)) return undefined;
      reviews++;
      return reviews < 3
        ? {
            verdict: 'FAIL',
            feedback: [{ problem: `Nobody understands it (${reviews}).`, suggestion: 'Rename.' }],
          }
        : { verdict: 'PASS', feedback: [] };
    };
    const { results, library, asked } = await refactorTools(three, { script });
    expect(results[0]!.history.map(({ role, verdict }) => [role, verdict])).toEqual([
      ['write-code', 'FAIL'],
      ['patch-code', 'FAIL'],
      ['patch-code', 'PASS'],
    ]);
    expect(
      asked
        .filter((each) => patches!(each))
        .map(({ input }) => (input as PatchCodeInput).feedback[0]!.problem),
    ).toEqual(['Nobody understands it (1).', 'Nobody understands it (2).']);
    expect(library).toHaveLength(1);
  });

  it('a review that fails passing code in every round keeps all originals', async () => {
    const script: Script = (request) =>
      reviewsCode!(request)
        ? { verdict: 'FAIL', feedback: [{ problem: 'Unusable.', suggestion: '' }] }
        : undefined;
    const { library, results } = await refactorTools(three, { script });
    expect(results[0]!.rounds).toBe(3);
    expect(library.map(({ keptBecause }) => keptBecause)).toEqual(
      new Array(3).fill('ROUNDS_EXHAUSTED: Not accepted in 3 rounds: Unusable.'),
    );
  });

  it('[tool-library 18] a failing case is not accepted although the reviewer passes it', async () => {
    const script: Script = (request) => {
      if (writes!(request) || patches!(request)) {
        const draft = draftOf(request);
        const functions = draft.functions.map((fn) => ({
          ...fn,
          code: fn.code.replace('- amount', '- amount - 1'),
        }));
        return { ...draft, functions };
      }
      return reviewsCode!(request) ? { verdict: 'PASS', feedback: [] } : undefined;
    };
    const { results, library, report } = await refactorTools(three, { script });
    expect(results[0]).toMatchObject({ accepted: false, rounds: 3, functions: [] });
    expect(library.map(({ name }) => name).sort()).toEqual([
      'car_wash_profit',
      'muffin_profit',
      'rose_profit',
    ]);
    expect(report.losslessness).toEqual({ cases: 3, passing: 3, coverage: 1 });
  });

  describe('a tool that hundreds of questions made', () => {
    const MORE = 300;
    const many = (): { tools: Tool[]; cases: Case[] } => {
      const [muffin] = three.cases.filter(({ call }) => call === MUFFIN.call);
      const further = Array.from({ length: MORE }, (_, n): Case => ({
        ...muffin!,
        id: `c_${String(n).padStart(16, '0')}`,
        call: `muffin_profit(${n + 2}, ${(n % 7) + 1})`,
        expected: (n + 2) * ((n % 7) + 1) - (n + 2) * 0.5 - 15,
      }));
      return { tools: three.tools, cases: [...three.cases, ...further] };
    };
    const whole = { cases: MORE + 3, passing: MORE + 3, coverage: 1 };

    it('agents are shown a dozen of its cases and how many more there are; all are mapped, run and published', async () => {
      const { asked, library, report, results } = await refactorTools(many());
      expect(report).toMatchObject({ counts: { superseded: 3 }, losslessness: whole });
      expect(library).toHaveLength(1);
      expect(library[0]!.mapping).toHaveLength(MORE + 3);
      expect(results[0]).toMatchObject({ accepted: true, rounds: 1 });
      const [write] = asked.filter((each) => writes!(each));
      const [review] = asked.filter((each) => reviewsCode!(each));
      expect(JSON.stringify(write).length).toBeLessThan(20_000);
      expect(JSON.stringify(review).length).toBeLessThan(20_000);
      expect(JSON.stringify(write!.messages)).toContain(`and ${MORE + 1 - 12} further cases`);
      expect(JSON.stringify(review!.messages)).toContain(`${MORE + 1 - 12} more pass`);
    });

    it('code of a model is called for the other cases as for those it mapped', async () => {
      const script: Script = (request) => {
        if (!writes!(request)) return undefined;
        const draft = draftOf(request);
        return JSON.parse(
          JSON.stringify(draft).replaceAll(PROFIT, 'profit').replaceAll('quantity', 'pieces'),
        ) as Code;
      };
      const { library, report } = await refactorTools(many(), { script });
      expect(report.losslessness).toEqual(whole);
      expect(library.map(({ name }) => name)).toEqual(['profit']);
      expect(library[0]!.mapping.map(({ call }) => call)).toContain(
        'profit(pieces=301, price=6, cost=0.5, amount=15)',
      );
    });

    it('where its calls do not tell how the others are called, it stays as it was', async () => {
      const script: Script = (request) => {
        if (!writes!(request) && !patches!(request)) return undefined;
        const draft = draftOf(request);
        const [fn] = draft.functions;
        // Two functions for the cases of one tool.
        return {
          ...draft,
          functions: [fn, { name: 'other_profit', code: fn!.code.replace(PROFIT, 'other_profit') }],
          mapping: draft.mapping.map(({ caseId, call }, n) => ({
            caseId,
            call: n % 2 === 0 ? call : call.replace(PROFIT, 'other_profit'),
          })),
        };
      };
      const { library, report } = await refactorTools(many(), { script });
      expect(report.losslessness).toEqual(whole);
      const kept = library.find(({ name }) => name === 'muffin_profit')!;
      expect(kept.mapping).toHaveLength(MORE + 1);
      expect(kept.keptBecause).toBeDefined();
    });
  });

  it('tools too large for one request stand as they were', async () => {
    const { tools, cases } = some(MUFFIN);
    const numbers = Array.from({ length: 18 }, (_, n) => String(n).padStart(16, '0'));
    const renamed = (text: string, n: string): string => text.replace('muffin_profit', `profit_${n}`);
    const { asked, library, report, notes } = await refactorTools({
      tools: numbers.map((n): Tool => {
        const code = `${renamed(MUFFIN.code, n)}${'# '.padEnd(60_000, 'long story ')}`;
        return { ...tools[0]!, id: `t_${n}`, name: `profit_${n}`, entry: `profit_${n}`, code };
      }),
      cases: numbers.map((n): Case => ({
        ...cases[0]!,
        id: `c_${n}`,
        toolId: `t_${n}`,
        call: renamed(MUFFIN.call, n),
      })),
    });
    expect(asked.filter((each) => blueprints!(each))).toEqual([]);
    expect(library).toHaveLength(18);
    expect(new Set(notes.map(({ code }) => code))).toEqual(new Set(['NOT_COVERED']));
    expect(report.losslessness).toEqual({ cases: 18, passing: 18, coverage: 1 });
  });

  it('[tool-library 19] an aggregate that looks up case inputs is NOT_EQUIVALENT', async () => {
    const code =
      'def profit(quantity, price):\n    return {(24, 3): 45, (12, 8): 78, (30, 2): 37.5}.get((quantity, price), 0)';
    const script: Script = (request) => {
      if (reviewsCode!(request)) return { verdict: 'PASS', feedback: [] };
      if (!writes!(request) && !patches!(request)) return undefined;
      const mapping = (request.input as WriteCodeInput).tools.flatMap(({ name, cases }) =>
        cases.map(({ caseId }) => ({
          caseId,
          call:
            name === 'muffin_profit'
              ? 'profit(quantity=24, price=3)'
              : name === 'car_wash_profit'
                ? 'profit(quantity=12, price=8)'
                : 'profit(quantity=30, price=2)',
        })),
      );
      return { module: '', functions: [{ name: 'profit', code }], mapping };
    };
    const { notes, library, results } = await refactorTools(three, { script });
    expect(results[0]!.history[0]!.failures).toBe(3);
    expect(notes.map(({ code: note }) => note)).toEqual([
      'NOT_EQUIVALENT',
      'NOT_EQUIVALENT',
      'NOT_EQUIVALENT',
    ]);
    expect(notes[0]!.message).toContain('not equivalent to its source');
    expect(library).toHaveLength(3);
  });

  it("takes a code agent's own functions, finding in the values which argument is which", async () => {
    const code =
      'def stall_profit(count, income, expense, fixed):\n    """Profit of a stall.\n\n    Args:\n        count: things sold\n    """\n    return count * (income - expense) - fixed';
    const script: Script = (request) => {
      if (!writes!(request)) return undefined;
      const calls: Record<string, string> = {
        muffin_profit: 'stall_profit(count=24, income=3, expense=0.5, fixed=15)',
        car_wash_profit: 'stall_profit(count=8, income=12, expense=1, fixed=10)',
        rose_profit: 'stall_profit(count=30, income=2, expense=0.25, fixed=15)',
      };
      const mapping = (request.input as WriteCodeInput).tools.flatMap(({ name, cases }) =>
        cases.map(({ caseId }) => ({ caseId, call: calls[name]! })),
      );
      return { module: '', functions: [{ name: 'stall_profit', code }], mapping };
    };
    const { library, results } = await refactorTools(three, { script });
    expect(results[0]).toMatchObject({ accepted: true, rounds: 1, kept: [] });
    expect(library.map(({ name, description }) => [name, description])).toEqual([
      ['stall_profit', 'Profit of a stall.'],
    ]);
  });

  it('tells the code agent what the gate found', async () => {
    const script: Script = (request) => {
      if (!writes!(request)) return undefined;
      const [one] = (request.input as WriteCodeInput).tools.flatMap(({ cases }) => cases);
      return {
        module: 'import os',
        functions: [{ name: 'f', code: 'def f(a:\n    return a' }],
        mapping: [
          { caseId: one!.caseId, call: 'f(1)' },
          { caseId: 'c_none', call: 'f(1)' },
        ],
      };
    };
    const { asked, library } = await refactorTools(three, { script });
    const { feedback } = asked.find((each) => patches!(each))!.input as PatchCodeInput;
    const problems = feedback.map(({ problem }) => problem).join('\n');
    expect(problems).toContain('The module cannot be used. Line 1 imports os');
    expect(problems).toContain('The function f does not parse: line 1');
    expect(problems).toContain('There is no case c_none in this scenario.');
    // The builtin's draft stands in the request for the repair, and is accepted.
    expect(library).toHaveLength(1);
  });

  it('[tool-library 11] equal skeletons, one tool raising on 0: the merge may return there, agrees elsewhere', async () => {
    const { library, results } = await refactorTools(some(BREAD, CAKE));
    expect(library).toHaveLength(1);
    expect(results[0]).toMatchObject({ accepted: true, rounds: 1, kept: [] });
    expect(library[0]!.code).not.toContain('check');
  });

  it('undoes what does not agree and then leaves it out, as the builtin code agent', async () => {
    // The agent's first code spoils what widening let in.
    const tools = some(ROW, SEAT, AISLE);
    const broken: Script = (request) => {
      if (!writes!(request)) return undefined;
      const draft = draftOf(request);
      return {
        ...draft,
        functions: draft.functions.map((fn) => ({
          ...fn,
          code: fn.code.replace(/(return .*)\+ amount/, '$1- amount'),
        })),
      };
    };
    const { library, results } = await refactorTools(tools, { script: broken });
    expect(results[0]!.rounds).toBe(2);
    expect(library.map(({ mapping }) => mapping.length).sort()).toEqual([1, 2]);
    expect(library.find(({ mapping }) => mapping.length === 1)!.name).toBe('seat_cost');
  });

  it('[tool-library 20] coverage is 1; a function corrupted before VerifyLibrary has its tools reinstated', async () => {
    let before: LibraryTool[] = [];
    const { library, report, passes } = await refactorTools(three, {
      async tamper(artifacts, jobId, pass) {
        if (pass > 1) return;
        before = await allRows<LibraryTool>(artifacts, keys.library(jobId, 'tools'));
        await writeJsonl(
          artifacts,
          keys.library(jobId, 'tools'),
          before.map((tool) => ({ ...tool, code: tool.code.replace('- amount', '+ amount') })),
        );
      },
    });
    expect(before).toHaveLength(1);
    expect(passes).toBe(2);
    expect(library.map(({ name }) => name).sort()).toEqual([
      'car_wash_profit',
      'muffin_profit',
      'rose_profit',
    ]);
    for (const { keptBecause } of library) expect(keptBecause).toMatch(/^Reinstated: profit_from_\w+ gave /);
    expect(report.counts).toMatchObject({ tools: 3, kept: 3, aggregated: 0, reinstated: 3 });
    expect(report.losslessness).toEqual({ cases: 3, passing: 3, coverage: 1 });
  });

  it('is a Defect where a kept tool does not give its value', async () => {
    const tamper = async (
      artifacts: Parameters<NonNullable<Parameters<typeof refactorTools>[1]>['tamper'] & object>[0],
      jobId: string,
    ) => {
      const tools = await allRows<LibraryTool>(artifacts, keys.library(jobId, 'tools'));
      await writeJsonl(
        artifacts,
        keys.library(jobId, 'tools'),
        tools.map((tool) => ({ ...tool, code: tool.code.replace('* 12', '* 13') })),
      );
    };
    const tools = some(DOZEN);
    await expect(refactorTools(tools, { tamper })).rejects.toThrow(/not lossless: 1 of 1 cases fail/);
  });

  it('stopped before Blueprint or Aggregate, every admitted tool is in the library as it is', async () => {
    for (const stopBefore of ['blueprint', 'aggregate'] as const) {
      const { library, report } = await refactorTools(three, { stopBefore });
      expect(library.map(({ name }) => name).sort()).toEqual([
        'car_wash_profit',
        'muffin_profit',
        'rose_profit',
      ]);
      expect(report).toMatchObject({ partial: true, losslessness: { coverage: 1 }, counts: { kept: 3 } });
      expect(library[0]!.keptBecause).toContain('ended before');
    }
  });

  it('gives each name once, in code, calls and mapping; the old one is an alias', async () => {
    const tools = some(MUFFIN, MUFFIN_TOO, MUFFIN_TRAYS);
    // Collected tools have names of their own already; what merging adds must not clash either.
    const { library, report } = await refactorTools(tools, { stopBefore: 'blueprint' });
    expect(new Set(library.map(({ name }) => name)).size).toBe(3);
    const renamed = library.filter(({ aliases }) => aliases.includes('muffin_profit'));
    expect(renamed).toHaveLength(2);
    for (const { name, code, entry, mapping } of library) {
      expect(entry).toBe(name);
      expect(code).toContain(`def ${name}(`);
      expect(mapping[0]!.call).toContain(`${name}(`);
    }
    expect(report.losslessness.coverage).toBe(1);
  });
});
