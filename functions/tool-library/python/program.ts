/**
 * The Python half of the analyser: texts become JSON syntax trees and back, by Python's own `ast`. It parses tools and
 * never executes them; it runs in an interpreter of its own (`openInterpreter` of shared/sandbox).
 */
export const PROGRAM = String.raw`
import ast

_SKIP = {"ctx", "type_comment", "type_ignores"}
_FIELDS = {}
_MAX_BYTES = 65536
_SAFE = 2 ** 53


def _fields(cls):
    known = _FIELDS.get(cls)
    if known is None:
        known = _FIELDS[cls] = tuple(name for name in cls._fields if name not in _SKIP)
    return known


def _constant(value):
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -_SAFE < value < _SAFE else {"$": "int", "v": str(value)}
    if kind is float:
        return {"$": "float", "v": repr(value)}
    if kind is complex:
        return {"$": "complex", "v": repr(value)}
    if kind is bytes:
        return {"$": "bytes", "v": value.hex()}
    return {"$": "ellipsis"}


def _plain(value):
    if isinstance(value, ast.AST):
        return _node(value)
    if type(value) is list:
        return [_plain(item) for item in value]
    return value


def _node(node):
    cls = type(node)
    out = {"_": cls.__name__}
    if cls is ast.Constant:
        out["value"] = _constant(node.value)
    else:
        for name in _fields(cls):
            out[name] = _plain(getattr(node, name, None))
    line = getattr(node, "lineno", None)
    if line is not None:
        out["lineno"] = line
    return out


def _parse_one(code):
    if len(code.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        return {"ok": False, "error": {"message": "the code is longer than 64 KiB", "line": 0}}
    try:
        tree = ast.parse(code)
        return {"ok": True, "ast": _node(tree), "code": ast.unparse(tree)}
    except SyntaxError as error:
        return {"ok": False, "error": {"message": str(error.msg), "line": error.lineno or 0}}
    except (RecursionError, MemoryError):
        return {"ok": False, "error": {"message": "the code is nested too deeply", "line": 0}}
    except ValueError as error:
        return {"ok": False, "error": {"message": str(error)[:200], "line": 0}}


def parse(codes):
    return [_parse_one(code) for code in codes]


def _value(value):
    if type(value) is not dict:
        return value
    kind = value["$"]
    if kind == "int":
        return int(value["v"])
    if kind == "float":
        return float(value["v"])
    if kind == "complex":
        return complex(value["v"])
    if kind == "bytes":
        return bytes.fromhex(value["v"])
    return ...


def _back(value):
    if type(value) is list:
        return [_back(item) for item in value]
    if type(value) is not dict:
        return value
    cls = getattr(ast, value["_"])
    if cls is ast.Constant:
        return ast.Constant(value=_value(value["value"]))
    node = cls(**{name: _back(value.get(name)) for name in _fields(cls)})
    if "ctx" in cls._fields:
        node.ctx = ast.Load()
    if cls is ast.Module:
        node.type_ignores = []
    return node


def unparse(trees):
    out = []
    for tree in trees:
        out.append(ast.unparse(ast.fix_missing_locations(_back(tree))))
    return out
`;
