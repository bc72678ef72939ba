import { GUARD } from './guard.ts';

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

${GUARD}
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
