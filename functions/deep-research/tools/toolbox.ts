import { sha256Hex } from '#shared/determinism/hash.ts';
import { browsePage, browseWorstMs } from '#shared/research/tools/browse-page.ts';
import type { ToolContext } from '#shared/research/tools/context.ts';
import { searchInternet, searchWorstMs } from '#shared/research/tools/search-internet.ts';
import type { Sandbox } from '#shared/sandbox/types.ts';
import { isError } from '#shared/task/errors.ts';
import type { Call } from '../records.ts';
import type { ToolAnswer, ToolBox } from '../run/world.ts';
import { PYTHON_TIMEOUT_MS, runPython } from './python.ts';

/** The tools of a job's runs: searching and browsing what its input names, Python in the sandbox. */
export function toolBox(
  context: ToolContext,
  sandbox: () => Promise<Sandbox>,
  options: { seed: number; pythonMs?: number },
): ToolBox {
  const pythonMs = options.pythonMs ?? PYTHON_TIMEOUT_MS;
  return {
    worstMs({ name }) {
      if (name === 'search_internet') return searchWorstMs(context);
      return name === 'browse_page' ? browseWorstMs(context) : pythonMs + 10_000;
    },
    async run(call, { runId, n }) {
      try {
        return await execute(call, context, async (code) =>
          runPython(await sandbox(), code, {
            unitId: `${runId}.${n}`,
            seed: Number.parseInt(sha256Hex(`${options.seed}/${runId}/${n}`).slice(0, 7), 16),
            timeoutMs: pythonMs,
            ...(context.signal ? { signal: context.signal } : {}),
          }),
        );
      } catch (error) {
        // The model's next call meets the same end and finalises.
        if (!isError(error, 'BudgetExhausted')) throw error;
        const observation = {
          tool: call.name,
          text: "The job's budget is used up.",
          code: 'budget',
          meta: {},
        };
        return { observation, cacheHit: false, microUsd: 0 };
      }
    },
  };
}

async function execute(
  { name, arguments: args }: Call,
  context: ToolContext,
  python: (code: string) => Promise<ToolAnswer['observation']>,
): Promise<ToolAnswer> {
  switch (name) {
    case 'search_internet':
      return searchInternet(String(args.query), context);
    case 'browse_page':
      return browsePage(
        {
          url: String(args.url),
          ...(typeof args.section_id === 'number' ? { section_id: args.section_id } : {}),
        },
        context,
      );
    default:
      return { observation: await python(String(args.code)), cacheHit: false, microUsd: 0 };
  }
}
