import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openSandbox, type Sandbox } from '#shared/sandbox/index.ts';
import { collect, embedded, request } from './support.ts';

vi.setConfig({ testTimeout: 120_000 });

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox(embedded(), { workers: 1 });
  // The first use may have to make the snapshot.
  await sandbox.run(request());
}, 120_000);
afterAll(() => sandbox.close());

test('[tool-library 30] a tool that replaces json.dumps is StateTampered; the next one is right', async () => {
  const results = await collect(
    sandbox.runBatch(
      [
        request({
          id: '1',
          code: 'import json\njson.dumps = lambda value: "evil"\ndef f():\n    return 1\n',
          call: 'f()',
        }),
        request({ id: '2', code: 'import json\ndef g():\n    return json.dumps({"a": 1})\n', call: 'g()' }),
      ],
      { unitId: 'tampering' },
    ),
  );
  expect(results).toMatchObject([
    { id: '1', ok: false, error: { type: 'StateTampered', message: expect.stringMatching(/json/) } },
    { id: '2', ok: true, value: '{"a": 1}' },
  ]);
});

const CHANGES = [
  'import builtins\nbuiltins.extra = 1',
  'import math\nmath.pi = 3',
  'import math\ndel math.sqrt',
  'import statistics\nstatistics.mean.__code__ = (lambda data: 0).__code__',
  'import fractions\nfractions.Fraction.__add__ = lambda a, b: 0',
  'import json\njson.JSONEncoder.default = None',
  'import decimal\ndecimal.DefaultContext.prec = 2',
  'import sys, types\nsys.modules["json"] = types.ModuleType("json")',
  'import sys\nsys.meta_path.append(None)',
  'import gc\ngc.callbacks.append(print)',
  'import random\nrandom.random.__self__.__class__.random = lambda self: 4',
  // The runner's own state, through the frames of its callers: also the text that its next runs execute.
  'import sys\nframe = sys._getframe()\nwhile frame:\n    if "last_code" in frame.f_locals:\n        frame.f_locals["last_code"] = compile("def f():\\n    return 1", "<tool>", "exec")\n    frame = frame.f_back',
  'import sys\nframe = sys._getframe()\nwhile frame:\n    if "encode" in frame.f_locals:\n        frame.f_locals["encode"] = lambda *a: "1"\n    frame = frame.f_back',
];

test('whatever of Python a run changes is seen, and gone for the next', async () => {
  const probe =
    'import json, math, statistics, random, sys\nfrom fractions import Fraction\nfrom decimal import Decimal\ndef f():\n    return [json.dumps([math.pi, math.sqrt(4)]), statistics.mean([1, 3]), str(Fraction(1, 2) + 1), str(Decimal(1) / 8), 0 < random.random() < 1]\n';
  const results = await collect(
    sandbox.runBatch(
      CHANGES.flatMap((code, index) => [
        request({ id: `change ${index}`, code }),
        request({ id: `after ${index}`, code: probe, call: 'f()' }),
      ]),
      { unitId: 'changes' },
    ),
  );
  const seen = results.map(
    (result) => `${result.id}: ${result.ok ? JSON.stringify(result.value) : result.error.type}`,
  );
  expect(seen).toEqual(
    CHANGES.flatMap((_, index) => [
      // Some are refused outright: that is as good.
      expect.stringMatching(new RegExp(`^change ${index}: (StateTampered|TypeError|AttributeError)$`)),
      `after ${index}: ["[3.141592653589793, 2.0]",2,"3/2","0.125",true]`,
    ]),
  );
});

/** What a run does for the next to find, and how the next would find it: with what it finds in a new interpreter. */
const CARRIED: [does: string, finds: string, clean: unknown][] = [
  [
    'import sys\nsys.modules["__main__"].kept = 1',
    'import sys\nhasattr(sys.modules["__main__"], "kept")',
    false,
  ],
  ['import sys\nsys.last_value = 1', 'import sys\nhasattr(sys, "last_value")', false],
  ['import json\njson.__warningregistry__ = {}', 'import json\nhasattr(json, "__warningregistry__")', false],
  ['import linecache\nlinecache.cache["kept"] = 1', 'import linecache\n"kept" in linecache.cache', false],
  ['import tempfile\ntempfile.tempdir = "/nowhere"', 'import tempfile\ntempfile.mkdtemp()[:5]', '/tmp/'],
  [
    'import fractions, re\nfractions._RATIONAL_FORMAT = re.compile("(?P<sign>)(?P<num>1).*(?P<denom>7)?(?P<decimal>)(?P<exp>)")',
    'from fractions import Fraction\nstr(Fraction("1/2"))',
    '1/2',
  ],
  ['import json\njson._default_encoder.item_separator = ";"', 'import json\njson.dumps([1, 2])', '[1, 2]'],
  ['import json\njson.dumps.__kwdefaults__["indent"] = 3', 'import json\njson.dumps([1])', '[1]'],
  ['import numbers\nnumbers.Number.register(str)', 'import numbers\nisinstance("a", numbers.Number)', false],
  [
    'import codecs\ncodecs.register_error("strict", lambda error: ("?", error.end))',
    'try:\n    x = b"\\xff".decode()\nexcept ValueError:\n    x = "refused"\nx',
    'refused',
  ],
  ['import gc\ngc.set_threshold(1)', 'import gc\ngc.get_threshold()[0] > 1', true],
  ['import atexit\natexit.register(print)', 'import atexit\natexit._ncallbacks()', 0],
  [
    'import sys\nsys.set_asyncgen_hooks(firstiter=print)',
    'import sys\nsys.get_asyncgen_hooks().firstiter is None',
    true,
  ],
  ['import tracemalloc\ntracemalloc.start()', 'import tracemalloc\ntracemalloc.is_tracing()', false],
];

test('what a run leaves anywhere in the modules is not there for the next', async () => {
  const results = await collect(
    sandbox.runBatch(
      CARRIED.flatMap(([does, finds], index) => [
        request({ id: `does ${index}`, code: does }),
        request({ id: `finds ${index}`, code: finds }),
      ]),
      { unitId: 'carried' },
    ),
  );
  const found = results.filter((_, index) => index % 2 === 1);
  expect(found.map((result) => (result.ok ? result.value : result.error))).toEqual(
    CARRIED.map(([, , clean]) => clean),
  );
});

test('no object of JavaScript can be reached from Python, by whatever way', async () => {
  const code = `
import gc, sys
seen, todo, found = set(), [*object.__subclasses__(), sys.modules, sys._getframe(), *gc.get_objects()], []
while todo:
    item = todo.pop()
    if id(item) not in seen:
        seen.add(id(item))
        if type(item).__name__ == "JsProxy":
            found.append(str(item)[:100])
        todo.extend(gc.get_referents(item))
[len(seen) > 10_000, found, hasattr(sys.modules["__main__"], "_pyodide_core")]
`;
  expect(await sandbox.run(request({ code, timeoutMs: 60_000 }))).toMatchObject({
    ok: true,
    value: [true, [], false],
  });
});

const INNOCENT = [
  'import json, re\nre.sub("a", "b", json.dumps({"a": 1}))',
  'import datetime\nstr(datetime.datetime.strptime("2024-01-02", "%Y-%m-%d"))',
  'import logging\nlogging.warning("x")',
  'import typing\nclass A:\n    x: int\ntyping.get_type_hints(A)\ntyping.Match',
  'import statistics\nstatistics.NormalDist.__annotations__',
  'import xml.etree.ElementTree as tree\ntree.fromstring("<a/>").tag',
  'import collections.abc\ncollections.abc.Sequence.register(type("T", (), {}))',
  'import warnings\nwarnings.simplefilter("ignore")\nwarnings.warn("x")',
  'import os, sys\nos.environ["X"] = "1"\nsys.path.append("/x")\nsys.setrecursionlimit(5_000)\nos.chdir("/tmp")',
  'import tempfile\nwith tempfile.NamedTemporaryFile() as file:\n    file.write(b"x")',
  'import string, ast\nstring.Template("$a").substitute(a=1) + ast.unparse(ast.parse("a + b"))',
  'from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP(1).x',
  'import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.format_exc()',
  'import inspect, pathlib, unittest\ninspect.signature(inspect.signature)',
  '"x".encode("cp1252")',
  'class Loop:\n    def __del__(self):\n        pass\nloop = Loop()\nloop.me = loop',
  'file = open("/tmp/left-open", "w")\nfile.write("x")',
];

test('what innocent code changes is put back, and is no tampering', async () => {
  const results = await collect(
    sandbox.runBatch(
      INNOCENT.map((code, index) => request({ id: String(index), code: `${code}\n1`, timeoutMs: 60_000 })),
      { unitId: 'innocent' },
    ),
  );
  expect(
    results.map((result) => (result.ok ? result.value : `${result.id} ${JSON.stringify(result.error)}`)),
  ).toEqual(INNOCENT.map(() => 1));
  expect(
    await sandbox.run(
      request({
        code: 'import os, sys\n[os.getcwd(), os.listdir("/tmp"), "X" in os.environ, "/x" in sys.path, sys.getrecursionlimit(), "xml" in sys.modules]',
      }),
      { unitId: 'innocent' },
    ),
  ).toMatchObject({ ok: true, value: ['/home/python', [], false, false, 1_000, false] });
}, 120_000);
