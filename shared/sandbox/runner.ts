/**
 * The Python half of the sandbox: runs one request in fresh globals and answers with JSON text. It is executed once,
 * before the snapshot is taken; `_agentmill_runner.run` is then all that the child calls.
 *
 * What it needs it holds in closures: a tool may replace `json.dumps` or `builtins.len`, and the answer to its own
 * request is still written by the originals. Expected values never come here.
 */
export const RUNNER = String.raw`
def _make_runner(value_bytes, stdout_bytes, message_chars, reserved):
    import _abc, abc, ast, atexit, builtins, codecs, contextvars, gc, inspect, json, linecache, os, random, re, sys
    import tracemalloc, types, warnings
    import decimal, enum, fractions
    from _json import encode_basestring_ascii as quote, make_scanner
    from json.decoder import JSONDecoder
    from base64 import b64encode

    (abs, all, bool, bytearray, bytes, compile, complex, dict, eval, exec, float, frozenset, hasattr, id, int,
     isinstance, iter, len, list, map, min, next, object, repr, set, sorted, str, tuple, type, zip) = (
        getattr(builtins, name) for name in (
            "abs all bool bytearray bytes compile complex dict eval exec float frozenset hasattr id int "
            "isinstance iter len list map min next object repr set sorted str tuple type zip").split())
    BaseException_, Exception_, TypeError_, ValueError_, MemoryError_, RecursionError_ = (
        BaseException, Exception, TypeError, ValueError, MemoryError, RecursionError)
    ModuleNotFound, SyntaxError_ = ModuleNotFoundError, SyntaxError
    Fraction, Decimal, Enum, Range = fractions.Fraction, decimal.Decimal, enum.Enum, range
    parse, Expr, Expression, Module = ast.parse, ast.Expr, ast.Expression, ast.Module
    Context = contextvars.Context
    seed_random = random.seed
    count_objects = gc.get_count
    collect, enable_gc, set_gc_debug = gc.collect, gc.enable, gc.set_debug
    from operator import is_
    name_of = type.__dict__["__name__"].__get__
    module_of = type.__dict__["__module__"].__get__
    traceback_of = BaseException.__dict__["__traceback__"].__get__
    int_text, float_text, int_index = int.__repr__, float.__repr__, int.__int__
    stdlib = sys.stdlib_module_names
    modules = sys.modules
    set_recursion_limit = sys.setrecursionlimit
    set_digits, set_interval = sys.set_int_max_str_digits, sys.setswitchinterval
    SAFE = 2 ** 53

    class NotSerializable(Exception_):
        pass

    class TooLarge(Exception_):
        pass

    class Output:
        __slots__ = ("parts", "left")
        encoding = "utf-8"
        errors = "replace"
        newlines = None
        closed = False
        line_buffering = False
        name = "<stdout>"
        mode = "w"

        def __init__(self):
            self.parts = []
            self.left = stdout_bytes

        def write(self, text):
            if not isinstance(text, str):
                raise TypeError_("write() argument must be str, not " + name_of(type(text)))
            text = str.__str__(text)
            size = len(text)
            if self.left > 0:
                kept = text[: self.left]
                self.parts.append(kept)
                self.left -= len(kept)
            return size

        def writelines(self, lines):
            for line in lines:
                self.write(line)

        def flush(self):
            pass

        def isatty(self):
            return False

        def writable(self):
            return True

        def readable(self):
            return False

        def seekable(self):
            return False

    def clean(text):
        """Text without lone surrogates, which UTF-8 cannot say."""
        return text.encode("utf-8", "replace").decode("utf-8")

    def text_json(text):
        text = str.__str__(text)
        try:
            text.encode("utf-8")
        except ValueError_:
            raise NotSerializable("a text with lone surrogates has no UTF-8 form")
        return quote(text)

    def big_int_text(value):
        if value.bit_length() * 0.30102 > value_bytes:
            raise TooLarge()
        set_digits(0)
        try:
            return int_text(value)
        finally:
            set_digits(4300)

    left = 0

    def charge(text):
        nonlocal left
        left -= len(text)
        if left < 0:
            raise TooLarge()
        return text

    def tag(kind, body):
        return charge('{"$":"' + kind + '","v":') + body + charge("}")

    def texts(*parts):
        return charge("[" + ",".join(map(quote, parts)) + "]")

    def items(values, depth):
        charge("[]")
        out = []
        for value in values:
            charge(",")
            out.append(encode(value, depth))
        return "[" + ",".join(out) + "]"

    def unordered(values, depth):
        charge("[]")
        out = []
        for value in values:
            charge(",")
            out.append(encode(value, depth))
        out.sort()
        return "[" + ",".join(out) + "]"

    def mapping(value, depth):
        plain = True
        for key in dict.keys(value):
            if type(key) is not str or key == "$":
                plain = False
                break
        charge("{}")
        out = []
        if plain:
            for key, item in dict.items(value):
                out.append(charge(text_json(key) + ":,") [:-1] + encode(item, depth))
            return "{" + ",".join(out) + "}"
        for key, item in dict.items(value):
            charge(",")
            out.append("[" + encode(key, depth) + charge("],[") [1:2] + encode(item, depth) + "]")
        return tag("dict", "[" + ",".join(out) + "]")

    def symbolic(value):
        for cls in type(value).__mro__:
            if module_of(cls).split(".", 1)[0] in ("sympy", "mpmath"):
                return True
        return False

    def encode(value, depth=0):
        if depth > 100:
            raise NotSerializable("values are nested more than 100 deep, or contain themselves")
        kind = type(value)
        if kind is str:
            return charge(text_json(value))
        if value is None:
            return charge("null")
        if value is True:
            return charge("true")
        if value is False:
            return charge("false")
        if kind is int:
            if -SAFE <= value <= SAFE:
                return charge(int_text(value))
            return tag("int", charge('"' + big_int_text(value) + '"'))
        if kind is float:
            if value - value == 0:
                return charge(float_text(value))
            return tag("float", charge('"' + float_text(value) + '"'))
        depth += 1
        if isinstance(value, Enum):
            return encode(value.value, depth)
        if isinstance(value, list):
            return items(list.__iter__(value), depth)
        if isinstance(value, tuple):
            return tag("tuple", items(tuple.__iter__(value), depth))
        if isinstance(value, dict):
            return mapping(value, depth)
        if isinstance(value, str):
            return encode(str.__str__(value), depth)
        if isinstance(value, int):
            return encode(int_index(value), depth)
        if isinstance(value, float):
            return encode(float.__float__(value), depth)
        if isinstance(value, set):
            return tag("set", unordered(set.__iter__(value), depth))
        if isinstance(value, frozenset):
            return tag("frozenset", unordered(frozenset.__iter__(value), depth))
        if isinstance(value, (bytes, bytearray)):
            if len(value) > value_bytes:
                raise TooLarge()
            return tag("bytes", charge('"' + b64encode(bytes(value)).decode("ascii") + '"'))
        if isinstance(value, Fraction):
            return tag("Fraction", texts(big_int_text(value._numerator), big_int_text(value._denominator)))
        if isinstance(value, Decimal):
            return tag("Decimal", charge(quote(Decimal.__str__(value))))
        if isinstance(value, complex):
            return tag("complex", texts(float_text(value.real), float_text(value.imag)))
        if symbolic(value):
            return tag("expr", charge(text_json(str(value))))
        raise NotSerializable("a value of type " + clean(name_of(kind)) + " has no JSON form")

    def line_of(error):
        if isinstance(error, SyntaxError_) and error.filename == "<tool>":
            return error.lineno
        line = None
        trace = traceback_of(error)
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<tool>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def message_of(error):
        try:
            if isinstance(error, SyntaxError_):
                text = error.msg
            else:
                text = str(error)
            if not isinstance(text, str):
                return ""
            return clean(str.__str__(text)[:message_chars])
        except BaseException_:
            return ""

    def failure(error):
        name = name_of(type(error))
        message = message_of(error)
        if isinstance(error, MemoryError_):
            name = "OutOfMemory"
            message = message or "the interpreter reached its memory limit"
        elif isinstance(error, ModuleNotFound) and type(error.name) is str and error.name.split(".")[0] not in stdlib:
            name = "PackageUnavailable"
        elif name in reserved:
            message = name + ": " + message
            name = "Exception"
        line = line_of(error)
        answer = '{"ok":false,"error":{"type":' + quote(clean(name)[:200]) + ',"message":' + quote(message)
        if type(line) is int:
            answer += ',"line":' + int_text(line)
        return answer + "}"

    last_code = None

    def prepare(code):
        """Compiles the text that the next runs with a call are of; None, or the answer where it is no Python."""
        nonlocal last_code
        last_code = None
        try:
            last_code = compile(code, "<tool>", "exec", 0, True)
            return None
        except BaseException_ as error:
            answer = failure(error)
            error.__traceback__ = None
        reset()
        return answer + ',"stdout":""}'

    scan = make_scanner(JSONDecoder())

    def arguments(text):
        """A plain call's arguments and where their text ends; nothing where they are not what they look like."""
        try:
            return scan(text, 0)
        except Exception_:
            return None, None

    def evaluate(code, setup, call, name, args, scope):
        if call is not None:
            exec(last_code, scope)
            if setup is not None:
                exec(compile(setup, "<setup>", "exec", 0, True), scope)
            function = scope if name is None else scope.get(name, scope)
            if function is not scope:
                values, end = arguments(args)
                if end == len(args):
                    return function(*values)
            return eval(compile(call.strip(), "<call>", "eval", 0, True), scope)
        scope["__name__"] = "__main__"
        tree = parse(code, "<tool>")
        last = tree.body.pop() if tree.body and type(tree.body[-1]) is Expr else None
        exec(compile(tree, "<tool>", "exec", 0, True), scope)
        if setup is not None:
            exec(compile(setup, "<setup>", "exec", 0, True), scope)
        if last is None:
            return None
        return eval(compile(Expression(last.value), "<tool>", "eval", 0, True), scope)

    known_modules = None
    saved_dicts = saved_classes = watch_text = None
    environment = dict(os.environ._data)
    filters = list(warnings.filters)
    streams = (sys.stdin, sys.stderr)

    class Nowhere(Output):
        __slots__ = ()
        name = "<stderr>"

        def write(self, text):
            return len(text)

    nowhere = Nowhere()

    HIDDEN = ("js", "pyodide_js", "pyodide", "_pyodide", "_pyodide_core", "ctypes", "_ctypes")
    # What Pyodide needs and tools seldom do: not there for them, so that each import makes a module of its own.
    DROPPED = frozenset(("asyncio _asyncio concurrent socket _socket ssl _ssl logging subprocess selectors select zipfile "
                         "compression lzma _lzma bz2 _bz2 _zstd pathlib fcntl codeop site _sitebuiltins glob multiprocessing pickle _pickle "
                         "queue zipimport sysconfig").split())
    # What innocent runs change, and reset() puts back, ...
    VOLATILE = {
        "sys": ("stdin", "stdout", "stderr", "modules", "path", "path_importer_cache"),
        "warnings": ("filters", "onceregistry"),
        "_warnings": ("filters", "_onceregistry"),
        "posix": ("environ",),
    }
    # ... or check(): with them all that a module keeps to itself and is no code.
    PASSING = {
        "sys": ("last_exc", "last_type", "last_value", "last_traceback"),
        "tempfile": ("tempdir",),
        "linecache": ("cache",),
        "inspect": ("modulesbyfile",),
    }
    # Whose functions' bodies are watched too: what tools compute with.
    COMPUTING = frozenset(("bisect calendar collections copy csv dataclasses datetime decimal enum fractions functools "
                           "heapq io itertools json math numbers operator os posixpath random re statistics string "
                           "textwrap types weakref").split())
    IGNORED = ("__annotations_cache__", "__annotate_func__", "__annotate__", "__annotations__", "__doc__",
               "_abc_impl", "__static_attributes__", "__firstlineno__")
    Function, Module_, Property = types.FunctionType, types.ModuleType, property
    HEAP_TYPE, IMMUTABLE = 1 << 9, 1 << 8

    def is_code(value):
        return isinstance(value, (type, Module_)) or callable_(value)

    def functions_of(value):
        """Python functions that an attribute is or holds."""
        if isinstance(value, Function):
            return [value]
        if isinstance(value, (staticmethod_, classmethod_)):
            return functions_of(value.__func__)
        if isinstance(value, Property):
            return [part for part in (value.fget, value.fset, value.fdel) if isinstance(part, Function)]
        return []

    callable_, staticmethod_, classmethod_ = callable, staticmethod, classmethod

    def innocent(name, key):
        return key in VOLATILE.get(name, ())

    def passing(name, key):
        return key in PASSING.get(name, ()) or key == "__warningregistry__"

    def watched(name, key, value):
        return not innocent(name, key) and not passing(name, key) and (is_code(value) or not key.startswith("_"))

    def arm():
        """Remembers the state that every run has to leave as it was. The last step before the snapshot."""
        nonlocal known_modules, saved_dicts, saved_classes, watch_text, token
        import string
        sys.stdout = sys.stderr = nowhere
        # What the first use completes.
        string.Template("$a").substitute(a=1)
        ast.unparse(parse("a"))
        for module in list(modules.values()):
            if isinstance(module, Module_) and module.__name__.split(".")[0] not in DROPPED:
                for name in vars(module).get("__all__", ()):
                    getattr(module, name, None)
        for owner, names in ((sys, ("settrace", "setprofile", "addaudithook", "_settraceallthreads",
                                    "_setprofileallthreads", "call_tracing", "remote_exec", "_clear_internal_caches")),
                             (gc, ("freeze", "unfreeze")), (codecs, ("register", "register_error")),
                             (modules["_codecs"], ("register", "register_error"))):
            for name in names:
                if hasattr(owner, name):
                    delattr_(owner, name)
        vars(modules["__main__"]).pop("_pyodide_core", None)
        known_modules = dict(modules)
        dicts, lists, functions, words, classes = [], [], {}, [], {}
        saved_dicts, saved_classes = [], []
        for name, module in known_modules.items():
            top = name.split(".")[0]
            if top not in stdlib and name not in ("_agentmill_runner", "__main__") or top in DROPPED or not isinstance(module, Module_):
                continue
            names = vars(module)
            # The program that calls this takes its own names away afterwards.
            own = ("_make_runner", "_agentmill_start") if name == "__main__" else ()
            saved_dicts.append((name, names, {key: names[key] for key in names if key not in own}, True))
            dicts.append({"name": name, "at": id(names),
                          "skip": [id(key) for key in names if innocent(name, key)],
                          "loose": [id(key) for key in names if not watched(name, key, names[key])]})
            for key, value in names.items():
                label = name + "." + key
                if not watched(name, key, value):
                    continue
                if type(value) is list:
                    lists.append({"name": label, "at": id(value)})
                elif type(value) is dict and key != "__builtins__" and key != "__annotations__" and value is not names:
                    saved_dicts.append((label, value, dict(value), False))
                    dicts.append({"name": label, "at": id(value), "skip": [], "loose": []})
                elif isinstance(value, type) and value.__flags__ & HEAP_TYPE and not value.__flags__ & IMMUTABLE:
                    classes[id(value)] = (label, value)
                if top in COMPUTING:
                    for function in functions_of(value):
                        functions.setdefault(name, {})[id(function)] = function
        for label, value in classes.values():
            if isinstance(value, abc.ABCMeta):
                registries.append((value, [member() for member in registry_of(value)[0]]))
            getattr(value, "agentmill", None)
            saved_classes.append((label, value, dict(vars(value))))
            if label.split(".")[0] in COMPUTING:
                for part in vars(value).values():
                    for function in functions_of(part):
                        functions.setdefault(label, {})[id(function)] = function
        dicts.append({"name": "sys.modules", "at": id(modules), "skip": [], "loose": []})
        for label, owned in functions.items():
            for function in owned.values():
                extra = function.__kwdefaults__
                if extra:
                    saved_dicts.append((label, extra, dict(extra), False))
                    dicts.append({"name": label, "at": id(extra), "skip": [], "loose": []})
        cells = {}
        for function in own_functions():
            functions.setdefault("the runner", {})[id(function)] = function
            for key, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                if key == "last_code":
                    code_cell = id(cell)
                elif key not in ("left", "watch_text", "token"):
                    cells[id(cell)] = True
        for key in ("DefaultContext", "BasicContext", "ExtendedContext"):
            # prec, emax, emin, traps; then newtrap, round, clamp, all_cr: between them lies the status.
            at = id(getattr(decimal, key))
            words.append({"name": "decimal." + key, "at": at + 8, "count": 4})
            words.append({"name": "decimal." + key, "at": at + 28, "count": 4})
        watch_text = json.dumps({
            "dicts": dicts, "lists": lists, "cells": list(cells), "code": code_cell, "words": words,
            "functions": [{"name": key, "at": list(value)} for key, value in functions.items()],
            "types": [{"name": label, "at": [id(value)]} for label, value in classes.values()],
        })
        collect()
        gc_freeze()

    def own_functions():
        return [run, prepare, reset, forget, check, encode, mapping, items, unordered, tag, texts, charge, clean, text_json,
                big_int_text, symbolic, line_of, message_of, failure, arguments, evaluate, innocent, passing, watched, registered, is_code, functions_of,
                Output.write, Output.writelines, Nowhere.write]

    def hide():
        """Takes what reaches JavaScript or raw memory out of reach; once, after the snapshot was restored."""
        sys.meta_path[:] = [finder for finder in sys.meta_path
                            if not module_of(type(finder)).startswith(("_pyodide", "pyodide"))]
        for name in list(modules):
            top = name.split(".")[0]
            if top in HIDDEN:
                modules[name] = None
            elif top in DROPPED:
                del modules[name]
        for name in HIDDEN:
            modules[name] = None
        del modules["_agentmill_runner"]
        vars(modules["__main__"]).pop("_pyodide_core", None)
        known_modules.clear()
        known_modules.update(modules)
        cut_off()
        clear_exits()
        collect()
        gc_freeze()

    gc_freeze = gc.freeze
    from gc import get_referents

    def cut_off():
        """Takes every object of JavaScript's out of whatever Python can still reach."""
        holders = [None]
        while holders:
            holders = []
            seen, todo = set(), [*object.__subclasses__(), modules, sys._getframe()]
            while todo:
                item = todo.pop()
                if id(item) in seen:
                    continue
                seen.add(id(item))
                parts = get_referents(item)
                if isinstance(item, (dict, list)) and any_(name_of(type(part)) == "JsProxy" for part in parts):
                    holders.append(item)
                todo.extend(parts)
            for holder in holders:
                if isinstance(holder, list):
                    holder[:] = [part for part in holder if name_of(type(part)) != "JsProxy"]
                else:
                    for key in [key for key, part in holder.items() if name_of(type(part)) == "JsProxy"]:
                        del holder[key]

    any_ = any

    def forget():
        """Drops modules that the run imported, also from their parents."""
        for name in [name for name in modules if name not in known_modules]:
            module = modules.pop(name)
            parent, _, child = name.rpartition(".")
            known = known_modules.get(parent)
            if known is not None and vars(known).get(child) is module:
                delattr_(known, child)

    delattr_ = delattr

    range_, paths = range, list(sys.path)
    monitor_of, clear_monitor, free_monitor = (
        sys.monitoring.get_tool, sys.monitoring.clear_tool_id, sys.monitoring.free_tool_id)

    def reset():
        for tool in range_(6):
            if monitor_of(tool) is not None:
                clear_monitor(tool)
                free_monitor(tool)
        set_recursion_limit(1000)
        set_digits(4300)
        set_interval(0.005)
        enable_gc()
        set_gc_debug(0)
        sys.stdin, sys.stderr = streams[0], nowhere
        if os.environ._data != environment:
            os.environ._data.clear()
            os.environ._data.update(environment)
        if warnings.filters != filters:
            warnings.filters[:] = filters
        if len(sys.path) != len(paths) or not all(map(is_, sys.path, paths)):
            sys.path[:] = paths
        if len(modules) != len(known_modules):
            forget()
        for cache in caches:
            if cache:
                cache.clear()
        for thing, state in kept:
            if thing.__dict__ != state:
                thing.__dict__.clear()
                thing.__dict__.update(state)
        if class_token() != token:
            registered()
        if count_exits():
            clear_exits()
        if hooks_of() != hooks:
            set_hooks(*hooks)
        if thresholds_of() != thresholds:
            set_thresholds(*thresholds)
        set_origins(0)
        if is_tracing():
            stop_tracing()
        # Objects in circles that the run left behind go now, with whatever they do when they go.
        if count_objects()[0] > 20:
            collect()

    caches = (re._cache, re._cache2, linecache.cache, inspect.modulesbyfile)
    kept = [(thing, dict(vars(thing))) for thing in (json._default_encoder, json._default_decoder)]
    count_exits, clear_exits = atexit._ncallbacks, atexit._clear
    hooks_of, set_hooks, hooks = sys.get_asyncgen_hooks, sys.set_asyncgen_hooks, (None, None)
    thresholds_of, set_thresholds, thresholds = gc.get_threshold, gc.set_threshold, gc.get_threshold()
    set_origins = sys.set_coroutine_origin_tracking_depth
    is_tracing, stop_tracing = tracemalloc.is_tracing, tracemalloc.stop
    class_token, registry_of, clear_registry, clear_caches, register = (
        abc.get_cache_token, _abc._get_dump, _abc._reset_registry, _abc._reset_caches, _abc._abc_register)
    token, registries = None, []

    def registered():
        """Makes every class of Python's own have those subclasses registered that it had."""
        nonlocal token
        for cls, members in registries:
            now = [member() for member in registry_of(cls)[0]]
            if len(now) != len(members) or not all(member in members for member in now):
                clear_registry(cls)
                for member in members:
                    register(cls, member)
            clear_caches(cls)
        token = class_token()

    def check():
        """The first name that a run changed, or None where what the canary saw was innocent."""
        for name, known in known_modules.items():
            if modules.get(name) is not known:
                return "sys.modules[" + name + "]"
        for name, names, saved, is_module in saved_dicts:
            for key, value in saved.items():
                if names.get(key, saved) is not value:
                    if not is_module or watched(name, key, value):
                        return name + "." + str(key)
                    if not innocent(name, key):
                        names[key] = value
            if len(names) != len(saved):
                for key in list(names):
                    if key not in saved:
                        if is_module and type(key) is str and passing(name, key):
                            del names[key]
                        elif not (is_module and type(key) is str and innocent(name, key)):
                            return name + "." + str(key)
        for label, value, saved in saved_classes:
            names = vars(value)
            for key, part in saved.items():
                if key not in IGNORED and names.get(key, saved) is not part:
                    return label + "." + key
            for key in names:
                if key not in saved and key not in IGNORED:
                    return label + "." + str(key)
        return None

    def run(code, setup, call, name, args, seed):
        nonlocal left
        output = Output()
        sys.stdout = output
        scope = {"__name__": "tool", "__builtins__": builtins}
        value = None
        try:
            seed_random(seed)
            value = Context().run(evaluate, code, setup, call, name, args, scope)
            left = value_bytes
            answer = '{"ok":true,"value":' + encode(value) + ""
        except TooLarge:
            answer = '{"ok":false,"error":{"type":"OutputTooLarge","message":"the value is larger than 64 KiB of JSON"}'
        except NotSerializable as error:
            answer = ('{"ok":false,"error":{"type":"NotSerializable","message":' + quote(clean(error.args[0])) + "}")
        except BaseException_ as error:
            answer = failure(error)
            error.__traceback__ = None
        sys.stdout = nowhere
        printed = clean("".join(output.parts)).encode("utf-8")[:stdout_bytes].decode("utf-8", "ignore")
        value = None
        scope.clear()
        reset()
        return answer + ',"stdout":' + quote(printed) + "}"

    module = types.ModuleType("_agentmill_runner")
    module.prepare = prepare
    module.run, module.arm, module.check, module.hide = run, arm, check, hide
    module.watch = lambda: watch_text
    modules["_agentmill_runner"] = module
`;
