import type { ChatAnswer, ChatCall } from '#test/e2e/chat-stub.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { RunOptions } from '#local/platform.ts';
import type { StatePath } from './tool-library-deaths.ts';

/** Jobs of tool-library that between them enter every state of its machine, and the model that some roles pay for. */

export interface KilledJob {
  input: { [field: string]: Json };
  options?: RunOptions;
  /** Asked to stop as soon as it has entered this state. */
  cancelIn?: StatePath;
  status: string;
}

/** Roles that the paid model plays. */
const PAID = [
  'extract-tools',
  'fix-syntax',
  'judge-tools',
  'refine-tools',
  'review-blueprint',
  'review-code',
];

interface Solved {
  question: string;
  reasoning: string;
  answer: string;
  code: string;
  call: string;
}

function profit(n: number): Solved {
  const [good, count, price, rent] = [['muffins', 'roses', 'lamps'][n % 3]!, 20 + n, 3 + (n % 4), 11 + n];
  const gain = count * price - rent;
  return {
    question: `A stall sells ${count} ${good} at $${price} each and pays $${rent} rent. How much profit does it make?`,
    reasoning: `Sales are <<${count}*${price}=${count * price}>>${count * price}; profit is ${gain}.`,
    answer: String(gain),
    code: tool(
      `${good}_profit`,
      { [good]: `Number of ${good}, such as 5.`, price: 'Price of each.', rent: 'Rent paid.' },
      `${good} * price - rent`,
    ),
    call: `${good}_profit(${good}=${count}, price=${price}, rent=${rent})`,
  };
}

function remainder(n: number): Solved {
  const [litres, flow, minutes] = [900 + n, 7 + n, 12 + (n % 5)];
  const left = litres - flow * minutes;
  return {
    question: `A tank holds ${litres} litres of water. A pump drains ${flow} litres a minute for ${minutes} minutes. How many litres are left?`,
    reasoning: `The pump drains ${flow * minutes} litres; ${left} are left.`,
    answer: String(left),
    code: tool(
      `water_left_${n}`,
      { litres: 'Litres of water in the tank.', flow: 'Litres a minute.', minutes: 'Minutes drained.' },
      'litres - flow * minutes',
    ),
    call: `water_left_${n}(litres=${litres}, flow=${flow}, minutes=${minutes})`,
  };
}

function tool(name: string, parameters: Record<string, string>, value: string): string {
  const described = Object.entries(parameters).map(([key, text]) => `        ${key}: ${text}`);
  const signature = Object.keys(parameters).map((key) => `${key}: float`);
  return `def ${name}(${signature.join(', ')}) -> float:\n    """The ${name.replaceAll('_', ' ')}.\n\n    Args:\n${described.join('\n')}\n    """\n    return ${value}\n`;
}

const solved = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? profit(n) : remainder(n)));
/** The one whose code comes without its colon, and the one that the judge wants rewritten. */
const [BROKEN, UNCLEAR] = [solved[4]!, solved[5]!];
const CLEARER = 'Clearer: ';

const problems = solved.map(({ question, reasoning, answer }) => ({ question, reasoning, answer }));
const tools = solved
  .slice(0, 4)
  .map(({ question, answer, code, call }) => ({ question, answer, code, call }));

/** What the paid model says: the same to the same prompt, whenever it is asked. */
export function paidReply({ role, prompt }: ChatCall): ChatAnswer {
  const about = solved.find(({ question }) => prompt.includes(question));
  const answers: Record<string, () => object> = {
    'extract-tools': () => ({ tools: [written(about!, about === BROKEN)] }),
    'fix-syntax': () => ({ code: BROKEN.code }),
    'judge-tools': () =>
      about === UNCLEAR && !prompt.includes(CLEARER)
        ? { verdict: 'INEFFECTIVE', improvements: ['Say more clearly what it is for.'] }
        : { verdict: 'EFFECTIVE', improvements: [] },
    'refine-tools': () => ({
      tools: [{ ...written(about!, false), code: about!.code.replace('"""', `"""${CLEARER}`) }],
    }),
    'review-blueprint': () => ({ verdict: 'PASS', suggestions: [] }),
    'review-code': () =>
      prompt.includes('litres')
        ? {
            verdict: 'FAIL',
            feedback: [{ problem: 'Nobody would look for it here.', suggestion: 'Name it.' }],
          }
        : { verdict: 'PASS', feedback: [] },
  };
  return JSON.stringify(answers[role]!());
}

const written = ({ code, call }: Solved, broken: boolean) => ({
  code: broken ? code.replace('float:\n', 'float\n') : code,
  call,
  tags: ['arithmetic'],
});

const models = (roles: readonly string[]) => Object.fromEntries(roles.map((role) => [role, 'paid']));
/** A seed and batches, so that the tree is updated. */
const tree = (seed: number, batch: number) => ({ seed, batch, depth: 2, minCluster: 1 });
const few = { source: tools, review: 'execute', tree: tree(2, 1) };

/** The first call of this role costs more than there is. */
const poorAt = (role: string): KilledJob => ({
  input: { ...few, libraryId: role, models: models([role]) },
  options: { budget: { usd: 0.000001 } },
  status: 'BUDGET_EXHAUSTED',
});

/** The job is asked to stop when it has entered a state, before anything is done there. */
const cancelledIn = (state: string, source: Json = tools): KilledJob => ({
  input: { ...few, source, libraryId: 'cancelled' },
  cancelIn: state,
  status: 'CANCELLED',
});

export const KILLED_JOBS = {
  'solved problems': {
    input: {
      source: problems,
      libraryId: 'killed',
      tree: tree(4, 3),
      rounds: { create: 2, aggregate: 2 },
      evaluate: true,
      models: models(PAID),
    },
    status: 'SUCCEEDED',
  },
  'no money for UpdateTree': poorAt('update-clusters'),
  'no money for AssignTools': poorAt('assign-clusters'),
  'no money for Blueprint': poorAt('blueprint'),
  'cancelled in CreateTools': cancelledIn('CreateTools/PlanExtract', problems.slice(0, 2)),
  'cancelled in EmbedTools': cancelledIn('EmbedTools/Embed'),
  'cancelled in Aggregate': cancelledIn('Aggregate/PlanWrite'),
  'no such source': { input: { source: 'in/nothing.jsonl', libraryId: 'nothing' }, status: 'FAILED' },
} satisfies Record<string, KilledJob>;
