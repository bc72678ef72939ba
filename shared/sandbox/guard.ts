/**
 * The part of the runner (runner.ts, in whose function it stands) that keeps runs apart: what they have to leave as it
 * was, what is put back after each, what is taken out of their reach.
 */
export const GUARD = String.raw`
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
        holders.extend(script_holders())
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
        cut_off(holders)
        clear_exits()
        collect()
        gc_freeze()

    # Found before the snapshot is taken: nothing that starts it again puts them anywhere else.
    holders = []
    gc_freeze = gc.freeze
    from gc import get_referents

    def is_script(thing):
        return name_of(type(thing)) == "JsProxy"

    def script_holders():
        """The dicts and lists that hold an object of JavaScript's, of all that Python can reach: takes a while."""
        seen, todo, found = set(), [*object.__subclasses__(), modules, sys._getframe()], []
        while todo:
            item = todo.pop()
            if id(item) in seen:
                continue
            seen.add(id(item))
            parts = get_referents(item)
            if isinstance(item, (dict, list)) and any_(map(is_script, parts)):
                found.append(item)
            todo.extend(parts)
        return found

    def cut_off(holders):
        """Takes every object of JavaScript's out of these."""
        for holder in holders:
            if isinstance(holder, list):
                holder[:] = [part for part in holder if not is_script(part)]
            else:
                for key in [key for key, part in holder.items() if is_script(part)]:
                    del holder[key]
        holders.clear()

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
`;
