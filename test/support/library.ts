import { setAlias } from '#shared/library/aliases.ts';
import { buildSearch } from '#shared/library/build.ts';
import { markPublished, publishVersion } from '#shared/library/store.ts';
import type { Library, LibraryTool, ToolModule } from '#shared/library/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { SENTENCE_ENCODER, sentenceEncoder } from '#shared/text/encoder.ts';

/** Published libraries for tests, without a workflow. */

type Parameter = 'number' | 'string' | 'boolean' | 'integer' | 'array';

/** A tool as a library holds it. `parameters` are required, `options` have defaults of the code's. */
export function libraryTool(
  name: string,
  description: string,
  code: string,
  more: Partial<LibraryTool> & {
    parameters?: Record<string, Parameter>;
    options?: Record<string, Parameter>;
  } = {},
): LibraryTool {
  const { parameters = {}, options = {}, ...rest } = more;
  const typed = ([key, type]: [string, Parameter]) =>
    [key, type === 'array' ? { type, items: { type: 'number' } } : { type }] as const;
  return {
    id: `t_${name}`,
    name,
    aliases: [],
    kind: 'compute',
    description,
    schema: {
      type: 'object',
      properties: Object.fromEntries([...Object.entries(parameters), ...Object.entries(options)].map(typed)),
      required: Object.keys(parameters),
      additionalProperties: false,
    },
    code,
    entry: name,
    caseIds: [],
    tags: [],
    validated: 'executed',
    evidence: { runs: 1, called: 1, mattered: 1, rightWithoutCall: 0 },
    lineage: { questions: [], rounds: 1, models: [], roles: {}, parents: [], codeHash: '' },
    path: [],
    clusterId: 'c1',
    mapping: [],
    ...rest,
  };
}

/** Publishes tools as a version of a library, and points aliases at it. */
export async function publishTools(
  runtime: Runtime,
  libraryId: string,
  tools: readonly LibraryTool[],
  options: {
    owner?: string;
    modules?: ToolModule[];
    alias?: string | null;
    encoder?: Library['encoder'];
  } = {},
): Promise<Library> {
  const { owner = 'local', modules = [], alias = 'latest', encoder = { ...SENTENCE_ENCODER } } = options;
  const { artifacts } = runtime;
  const prefix = `work/${libraryId}`;
  const ref = await writeJsonl(artifacts, `${prefix}/tools.jsonl`, tools);
  const { search, vectors } = await buildSearch(artifacts, ref, prefix, await sentenceEncoder());
  const library = await publishVersion(runtime, {
    libraryId,
    owner,
    files: {
      'tools.jsonl': ref,
      'modules.jsonl': await writeJsonl(artifacts, `${prefix}/modules.jsonl`, modules),
      'search.jsonl': search,
      'vectors.f32': vectors,
    },
    manifest: {
      counts: { tools: tools.length },
      yields: {},
      encoder,
      partial: false,
      losslessness: { cases: 0, passing: 0, coverage: 1 },
      configHash: 'test',
    },
  });
  if (alias !== null) await setAlias(runtime, { libraryId, name: alias, version: library.version });
  await markPublished(runtime, library);
  return library;
}

const QUANTITIES = [
  'distance',
  'area',
  'interest',
  'age',
  'volume',
  'speed',
  'weight',
  'temperature',
  'share',
  'tax',
  'wage',
];
const SUBJECTS = ['train', 'garden', 'loan', 'family', 'tank', 'runner', 'parcel', 'oven', 'pizza'];

/** Ninety-nine tools of other topics, and the merged tool of specification section 6. */
export function hundredTools(): LibraryTool[] {
  const others = QUANTITIES.flatMap((quantity) =>
    SUBJECTS.map((subject) =>
      libraryTool(
        `${quantity}_of_${subject}`,
        `Computes the ${quantity} of a ${subject} from an amount and a factor.`,
        `def ${quantity}_of_${subject}(amount, factor=2):\n    return amount * factor`,
        {
          parameters: { amount: 'number' },
          options: { factor: 'number' },
          path: ['measures', quantity],
          clusterId: quantity,
          tags: [quantity],
        },
      ),
    ),
  );
  return [PROFIT, ...others];
}

export const PROFIT = libraryTool(
  'profit_from_quantity_and_price',
  'Profit from a quantity sold at a price, less a cost each and a fixed amount. For muffins, car washes, roses.',
  'def profit_from_quantity_and_price(quantity, price, cost=0.5, amount=15):\n    return quantity * price - quantity * cost - amount',
  {
    parameters: { quantity: 'number', price: 'number' },
    options: { cost: 'number', amount: 'number' },
    path: ['money', 'profit'],
    clusterId: 'profit',
    tags: ['money'],
  },
);
