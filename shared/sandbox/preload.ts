import { LIMITS } from './limits.ts';
import { RUNNER } from './runner.ts';

/** Modules of the standard library that tools import: part of the snapshot, so importing one costs nothing. */
export const PRELOAD = [
  'abc array ast base64 binascii bisect calendar cmath collections collections.abc contextlib copy csv dataclasses',
  'datetime decimal difflib enum fractions functools gc hashlib heapq html io itertools json keyword locale math',
  'numbers operator os os.path pprint random re secrets statistics string struct sys tempfile textwrap time timeit',
  'traceback types typing unicodedata uuid warnings weakref zlib zoneinfo',
].flatMap((line) => line.split(' '));

/** Names of the sandbox's own errors, which an exception class of a tool may not borrow. */
const RESERVED = [
  'Timeout',
  'OutOfMemory',
  'Crashed',
  'NotSerializable',
  'PackageUnavailable',
  'OutputTooLarge',
  'StateTampered',
];

const list = (names: readonly string[]): string =>
  `[${names.map((name) => JSON.stringify(name)).join(', ')}]`;

/** The program a cold interpreter runs before its snapshot is taken. */
export function runnerSource(wheels: readonly { name: string }[], packages: readonly string[]): string {
  return `${RUNNER}
def _agentmill_start():
    import importlib, sys
    sys.path.extend(${list(wheels.map(({ name }) => `/wheels/${name}`))})
    for name in ${list([...PRELOAD, ...packages])}:
        importlib.import_module(name)
    _make_runner(${LIMITS.valueBytes}, ${LIMITS.stdoutBytes}, ${LIMITS.messageChars}, frozenset(${list(RESERVED)}))
    runner = sys.modules["_agentmill_runner"]
    runner.arm()
_agentmill_start()
del _agentmill_start, _make_runner
`;
}
