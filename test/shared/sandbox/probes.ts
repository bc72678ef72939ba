/**
 * The escapes that must fail or stay inert (specification tool-library, section 7). Each is Python that ends with
 * `ESCAPED` in its value when it got out; an exception, a killed process or any other value is a failed escape.
 */
export interface Probe {
  number: number;
  title: string;
  code: string;
  /** What has to become of it: the error's type, or a value that shows it to be inert. */
  expected: RegExp;
  timeoutMs?: number;
  memoryMb?: number;
}

/**
 * Finds the JavaScript objects that Python still holds somewhere, though no import leads there: walks everything that
 * can be reached from the classes.
 */
const HUNT = `
import gc
def hunt():
    seen, todo, found = set(), list(object.__subclasses__()), []
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if type(item).__name__ == "JsProxy":
            found.append(item)
            continue
        todo.extend(gc.get_referents(item))
    return found
def attempt(action):
    for proxy in [None, *hunt()]:
        try:
            if action(proxy):
                return "ESCAPED"
        except Exception:
            pass
    return "nothing found"
`;

/** The probe as written, and over every JavaScript object that can be found. */
const js = (number: number, title: string, direct: string, over: string): Probe => ({
  number,
  title,
  code: `${HUNT}
def go():
    try:
        ${direct}
        return "ESCAPED"
    except (ImportError, AttributeError):
        pass
    return attempt(lambda proxy: ${over})
go()`,
  expected: /^("nothing found"$|Crashed|OutOfMemory)/,
  timeoutMs: 60_000,
});

const python = (
  number: number,
  title: string,
  body: string,
  expected: RegExp,
  more: Partial<Probe> = {},
): Probe => ({
  number,
  title,
  code: body,
  expected,
  ...more,
});

/** @param outside a folder of the host; @param secret the name of an environment variable of the parent. */
export const probes = (outside: string, secret: string): Probe[] => [
  js(1, 'from js import process', 'from js import process', 'proxy.process.pid > 0'),
  js(
    2,
    'run_js',
    'from pyodide.code import run_js; run_js("1")',
    'proxy.constructor.constructor("return 1")() == 1',
  ),
  js(
    3,
    'pyodide_js.constructor.constructor("return this")()',
    'import pyodide_js; pyodide_js.constructor.constructor("return this")()',
    'proxy.constructor.constructor("return this")() is not None',
  ),
  js(
    4,
    'the same through to_js([1])',
    'from pyodide.ffi import to_js; to_js([1]).constructor.constructor("return this")()',
    'proxy.constructor.from_([1]).constructor.constructor("return this")() is not None',
  ),
  js(
    5,
    'the same through _module',
    'import pyodide_js; pyodide_js._module.constructor.constructor("return this")()',
    'proxy._module.constructor.constructor("return process")() is not None',
  ),
  js(6, 'js.eval', 'import js; js.eval("1")', 'proxy.eval("1") == 1'),
  js(7, 'js.Function', 'import js; js.Function("return 1")()', 'proxy.Function("return 1")() == 1'),
  js(8, 'js.Worker', 'import js; js.Worker.new("data:text/javascript,1")', 'proxy.Worker.new("x.js")'),
  js(
    9,
    'mountNodeFS',
    'import pyodide_js; pyodide_js.mountNodeFS("/mnt", "/")',
    '(proxy.mountNodeFS("/home/python/m", "/"), open("/home/python/m/etc/passwd").read())',
  ),
  js(
    10,
    'FS.mount(NODEFS)',
    'import pyodide_js; pyodide_js.FS.mount(pyodide_js.FS.filesystems.NODEFS, {}, "/mnt")',
    '(proxy.FS.mount(proxy.FS.filesystems.NODEFS, {"root": "/"}, "/tmp"), open("/tmp/etc/passwd").read())',
  ),
  js(
    11,
    '_api.loadBinaryFile',
    'import pyodide_js; pyodide_js._api.loadBinaryFile("/etc/passwd")',
    'proxy._api.loadBinaryFile("/etc/passwd").then(lambda data: data) and False',
  ),
  python(12, '/etc/passwd', 'open("/etc/passwd").read() and "ESCAPED"', /^FileNotFoundError/),
  python(
    13,
    '/proc/self/environ',
    'import os\n"ESCAPED" if os.path.exists("/proc/self/environ") or os.path.exists("/proc/1") else "no such file"',
    /^"no such file"$/,
  ),
  python(
    14,
    "the parent's environment",
    `import os\n"ESCAPED" if ${JSON.stringify(secret)} in os.environ else sorted(os.environ)`,
    /^\["HOME","LANG",/,
  ),
  python(
    15,
    'a write that the host sees',
    `try:\n    open(${JSON.stringify(`${outside}/escaped`)}, "w").write("x")\nexcept OSError as error:\n    name = type(error).__name__\nopen("/tmp/escaped-from-the-sandbox", "w").write("x")\nname`,
    /^"(FileNotFoundError|PermissionError)"$/,
  ),
  python(
    16,
    'a symbolic link out',
    'import os\nos.symlink("/etc", "/tmp/out")\nopen("/tmp/out/passwd").read() and "ESCAPED"',
    /^FileNotFoundError/,
  ),
  python(
    17,
    'os.system',
    `import os\nos.system(${JSON.stringify(`touch ${outside}/escaped`)})`,
    /^(-?\d+|OSError|NotImplementedError)/,
  ),
  python(
    18,
    'os.popen',
    'import os\nos.popen("id").read() and "ESCAPED"',
    /^(OSError|NotImplementedError|PermissionError|BlockingIOError)/,
  ),
  python(
    19,
    'subprocess',
    'import subprocess\nsubprocess.run(["id"]) and "ESCAPED"',
    /^(OSError|NotImplementedError|PermissionError|BlockingIOError)/,
  ),
  python(20, 'os.fork', 'import os\nos.fork()\n"ESCAPED"', /^(OSError|BlockingIOError|AttributeError)/),
  python(
    21,
    'multiprocessing',
    'import multiprocessing\nprocess = multiprocessing.Process(target=print)\nprocess.start()\n"ESCAPED"',
    /^(OSError|ImportError|ModuleNotFoundError|BlockingIOError|AttributeError)/,
  ),
  python(
    22,
    'threads',
    'import threading\nthreading.Thread(target=print).start()\n"ESCAPED"',
    /^RuntimeError/,
  ),
  python(
    23,
    'ctypes to system',
    `import ctypes\nctypes.CDLL(None).system(${JSON.stringify(`touch ${outside}/escaped`)}.encode())`,
    /^(ModuleNotFoundError|PackageUnavailable)/,
  ),
  python(
    24,
    'CDLL of a host library',
    'import importlib, sys\nfor name in ("ctypes", "_ctypes"):\n    sys.modules.pop(name, None)\nctypes = importlib.import_module("ctypes")\nctypes.CDLL("/lib/x86_64-linux-gnu/libc.so.6")\n"ESCAPED"',
    /^(OSError|ModuleNotFoundError|PackageUnavailable|ImportError|StateTampered)/,
  ),
  python(
    25,
    'socket',
    'import socket\nsocket.create_connection(("127.0.0.1", 9), timeout=1)\n"ESCAPED"',
    /^(OSError|ConnectionRefusedError|TimeoutError|BlockingIOError|ImportError|gaierror|InterruptedError|AttributeError|PermissionError)/,
  ),
  python(
    26,
    'urllib',
    'import urllib.request\nurllib.request.urlopen("http://127.0.0.1:9/").read()\n"ESCAPED"',
    /^(URLError|OSError|ImportError|ModuleNotFoundError)/,
  ),
  js(
    27,
    'pyfetch and open_url',
    'from pyodide.http import open_url; open_url("http://127.0.0.1:9/")',
    'proxy.fetch("http://127.0.0.1:9/")',
  ),
  js(
    28,
    'createLazyFile of a URL',
    'import pyodide_js; pyodide_js.FS.createLazyFile("/tmp", "lazy", "http://127.0.0.1:9/", True, False)',
    '(proxy.FS.createLazyFile("/tmp", "lazy", "file:///etc/passwd", True, False), open("/tmp/lazy").read())',
  ),
  js(
    29,
    'loadPackage',
    'import pyodide_js; pyodide_js.loadPackage("numpy")',
    '(proxy.loadPackage("numpy"), __import__("numpy"))',
  ),
  python(
    30,
    'os.kill',
    'import os\n[os.kill(os.getppid(), 9), os.kill(1, 9)]\n"survived"',
    /^("survived"|OSError|ProcessLookupError|PermissionError)/,
  ),
  python(31, 'a string of 600 MB', 'len("x" * 600_000_000)', /^OutOfMemory/),
  python(
    32,
    'a file of 1.5 GB',
    'with open("/tmp/big", "wb") as file:\n    for _ in range(1_500):\n        file.write(bytes(1_000_000))\n"ESCAPED"',
    // The process's own memory may be used up first.
    /^(OSError|OutOfMemory)/,
    { timeoutMs: 60_000 },
  ),
  js(
    33,
    'a Uint8Array of 1.5 GB',
    'import js; js.Uint8Array.new(1_500_000_000).fill(1)',
    'proxy._module.HEAPU8.constructor.new(1_500_000_000).fill(1)',
  ),
  python(
    34,
    'an endless loop that catches BaseException',
    'while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass',
    /^Timeout/,
    { timeoutMs: 400 },
  ),
  python(
    35,
    'a catastrophic regular expression',
    'import re\nre.match(r"(a+)+$", "a" * 40 + "b")',
    /^Timeout/,
    { timeoutMs: 400 },
  ),
  python(
    36,
    'setrecursionlimit(10**9)',
    'import sys\nsys.setrecursionlimit(10**9)\ndef f(n):\n    return f(n + 1)\nf(0)',
    /^(Crashed|RecursionError|OutOfMemory)/,
    { timeoutMs: 60_000 },
  ),
  python(
    37,
    '10 GB of prints',
    'text = "x" * 1_000_000\nfor _ in range(10_000):\n    print(text)\n"printed"',
    /^("printed"|Timeout)/,
    { timeoutMs: 60_000 },
  ),
  js(
    38,
    'pollution of Object.prototype',
    'import js; js.Object.prototype.polluted = 1',
    'setattr(proxy.constructor.prototype, "polluted", 1) or proxy.constructor.new().polluted == 1',
  ),
  python(
    39,
    'json.dumps and builtins.len replaced',
    'import builtins, json\njson.dumps = lambda *a, **k: "1"\nbuiltins.len = lambda x: 7\nlen("")',
    /^StateTampered/,
  ),
  python(
    40,
    'os._exit and os.abort',
    'import os\ntry:\n    os.abort()\nfinally:\n    os._exit(0)',
    /^Crashed/,
  ),
];
