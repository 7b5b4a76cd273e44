"""What a generated Python file may contain, as a grammar over its syntax tree: what the templates print, no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

IMPORTED = {
    "__future__": {"annotations"},
    "builtins": {"bool", "bytes", "dict", "float", "int", "list", "str"},
    "dataclasses": {"dataclass", "field"},
    "datetime": {"date", "datetime", "time", "timedelta"},
    "decimal": {"Decimal"},
    "functools": {"cached_property"},
    "lightbus": {"EventMessage", "UNSET", "UnsetType"},
    "typing": {
        *("Any", "Literal", "Never", "NotRequired", "Protocol", "TYPE_CHECKING", "TypeAlias"),
        *("TypedDict", "TypeVar", "Union"),
    },
    "uuid": {"UUID"},
}
BASES = {"Protocol[_Sig]", "Protocol", "lightbus.ApiClient", "lightbus.Namespace", "lightbus.Bus"}
NAMES = {"Protocol[_Sig]", "lightbus.Bus", "object"}
METHODS = {"fire", "fire_async"}


class Foreign(AssertionError):
    """A file contains something that no template prints."""


def check(source: str) -> ast.Module:
    """Check a generated Python file against the grammar.

    Raises:
        Foreign: it contains anything else, which the message quotes.
        SyntaxError: it is not Python.
    """
    tree = ast.parse(source)
    _Checker(tree).check()
    return tree


def bound_names(tree: ast.Module) -> list[str]:
    """List the names that a module binds, in order."""
    names: list[str] = []
    for statement in _statements(tree):
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            names += [alias.asname or alias.name for alias in statement.names]
        elif isinstance(statement, ast.ClassDef):
            names.append(statement.name)
        elif isinstance(statement, ast.Assign):
            names += [ast.unparse(target) for target in statement.targets]
        elif isinstance(statement, ast.AnnAssign):
            names.append(ast.unparse(statement.target))
    return names


def _statements(tree: ast.Module) -> Iterable[ast.stmt]:
    for statement in tree.body:
        yield from statement.body if isinstance(statement, ast.If) else [statement]


class _Checker:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._bound = bound_names(tree)
        self._known = {*self._bound, *IMPORTED["builtins"]}

    def check(self) -> None:
        """Check names first, then every statement."""
        names = self._bound
        _need(len(set(names)) == len(names), self._tree, f"names bound twice: {sorted(names)}")
        hidden = set(names) & {*IMPORTED["builtins"], "object", "super", *METHODS, "listen", "listen_async"}
        _need(not hidden, self._tree, f"hides {hidden}")
        _need(_is_text(self._tree.body[0]), self._tree.body[0])
        for statement in self._tree.body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Expr():
                _need(ast.unparse(node) == "lightbus.require_format(1)", node)
            case ast.Import():
                _need(ast.unparse(node) == "import lightbus", node)
            case ast.ImportFrom(level=0):
                allowed = IMPORTED.get(node.module or "", set())
                _need(all(alias.name in allowed for alias in node.names), node)
                _need(
                    all(
                        (alias.asname or f"_{alias.name}").rstrip("_") == f"_{alias.name}"
                        for alias in node.names
                    ),
                    node,
                )
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
                _need(all(_is_sibling_import(inner) for inner in node.body), node)
            case ast.Assign(targets=[ast.Name(id=name)]):
                self._assignment(name, node.value)
            case ast.AnnAssign(
                target=ast.Name(), annotation=ast.Name(id="TypeAlias"), value=ast.expr() as value
            ):
                self._annotation(value)
            case ast.ClassDef(keywords=[]):
                self._class(node)
            case _:
                _need(False, node)

    def _assignment(self, name: str, value: ast.expr) -> None:
        match value:
            case ast.List() if name == "__all__":
                _need(ast.unparse(value) == "['Bus']", value)
            case ast.Call() if name == "_Sig":
                _need(ast.unparse(value) == "TypeVar('_Sig', covariant=True)", value)
            case ast.Call(args=[package, ast.Constant(value=str(path))], keywords=[]) if name == "_SCHEMA":
                _need(ast.unparse(value.func) == "lightbus.GeneratedSchema", value)
                _need(ast.unparse(package) == "__name__.rpartition('.')[0]", value)
                _need(path.startswith("schemas/") and path.count("/") == 1, value)
            case ast.Call(func=ast.Name(id="TypedDict"), args=[ast.Constant(value=own), ast.Dict() as keys]):
                _need(own == name and not value.keywords, value)
                for key, annotation in zip(keys.keys, keys.values, strict=True):
                    _need(isinstance(key, ast.Constant) and isinstance(key.value, str), value)
                    self._annotation(annotation)
            case _:
                _need(False, value)

    def _class(self, node: ast.ClassDef) -> None:
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        is_payload = decorators == ["dataclass(frozen=True, slots=True, kw_only=True)"]
        _need(is_payload or not decorators, node)
        bases = [ast.unparse(base) for base in node.bases]
        name = node.name.removesuffix("Endpoint")
        endpoint = f"lightbus.EventEndpoint[{name}Listener, {name}]"
        _need(not bases if is_payload else len(bases) == 1 and bases[0] in {*BASES, endpoint}, node)
        _need(_is_text(node.body[0]), node)
        for statement in node.body[1:]:
            match statement:
                case ast.AnnAssign(target=ast.Name(), value=value) if is_payload:
                    self._annotation(statement.annotation)
                    _need(value is None or self._is_default(value) or _is_more(value), statement)
                case ast.Expr() if is_payload:
                    _need(_is_text(statement), statement)
                case ast.FunctionDef() | ast.AsyncFunctionDef() if not is_payload:
                    self._method(statement)
                case _:
                    _need(False, statement)
        # names bound in a class hide the module's names from the annotations inside it
        own = {
            ast.unparse(s.target) for s in node.body if isinstance(s, ast.AnnAssign) and s.value is not None
        }
        own |= {s.name for s in node.body if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))}
        used = {name.id for a in _annotations(node) for name in ast.walk(a) if isinstance(name, ast.Name)}
        _need(not own & used, node, f"hides {own & used}")

    def _method(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        _need(arguments[0].arg == "self" and node.args.vararg is None, node)
        for argument in arguments[1:]:
            assert argument.annotation is not None
            self._annotation(argument.annotation)
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            _need(self._is_default(default), node)
        if node.returns is not None and ast.unparse(node.returns) not in NAMES | {"None"}:
            self._annotation(node.returns)
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if node.name in METHODS and _is_deprecated(node):
            decorators = []
        if node.args.kwarg is not None:
            _need(node.name in METHODS, node)
            self._annotation(node.args.kwarg.annotation or ast.Name(""))
        if node.name == "__call__":
            _need([ast.unparse(inner) for inner in node.body] == ["..."] and not decorators, node)
        elif node.name == "__init__":
            _need(not decorators and all(_is_setting(inner) for inner in node.body), node)
        elif decorators:
            _need(decorators == ["cached_property"] and len(node.body) in (2, 3), node)
            _need(_is_text(node.body[0]) and all(map(_is_sibling_import, node.body[1:-1])), node)
            child, last = ast.unparse(node.returns or node), ast.unparse(node.body[-1])
            _need(last in (f"return {child}(self)", f"return {child}(self._bus)"), node)
        else:
            _need(node.name in METHODS and len(node.body) == 2 and _is_text(node.body[0]), node)
            self._call(node)

    def _call(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Check the single expression of `fire()`."""
        last = node.body[-1]
        assert isinstance(last, ast.Return) and last.value is not None, ast.unparse(node)
        call = last.value.value if isinstance(last.value, ast.Await) else last.value
        _need(isinstance(call, ast.Call) and ast.unparse(call.func) == f"self._{node.name}", node)
        assert isinstance(call, ast.Call)
        [given] = call.args
        assert isinstance(given, ast.Dict) and not call.keywords, ast.unparse(node)
        more = [f"self._by_wire_name({node.args.kwarg.arg})"] if node.args.kwarg else []
        keys = given.keys[: len(given.keys) - len(more)]
        _need(all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in keys), node)
        _need(given.keys[len(keys) :] == [None for _ in more], node)  # **more
        taken = [argument.arg for argument in node.args.kwonlyargs] + more
        _need([ast.unparse(value) for value in given.values] == taken, node)

    def _is_default(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in ("UNSET", "_UNSET")
        return isinstance(node, ast.Constant) or _is_negative(node)

    def _annotation(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=None):
                pass
            case ast.Constant(value=str(text)):
                self._annotation(ast.parse(text, mode="eval").body)
            case ast.Name(id=name):
                _need(name in self._known, node)
            case ast.BinOp(op=ast.BitOr()):
                self._annotation(node.left)
                self._annotation(node.right)
            case ast.Subscript(value=ast.Name(id=("Literal" | "_Literal"))):
                for value in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
                    is_value = isinstance(value, ast.Constant) and isinstance(value.value, (str, int))
                    _need(is_value or _is_negative(value), node)
            case ast.Subscript(value=ast.Name() as generic):
                self._annotation(generic)
                for argument in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
                    self._annotation(argument)
            case _:
                _need(ast.unparse(node) in NAMES, node)


def _annotations(node: ast.ClassDef) -> Iterable[ast.expr]:
    for inner in ast.walk(node):
        match inner:
            case ast.AnnAssign(annotation=found) | ast.arg(annotation=ast.expr() as found):
                yield found
            case ast.FunctionDef(returns=ast.expr() as found) if not inner.decorator_list or _is_deprecated(
                inner
            ):
                yield found


def _is_deprecated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method is marked as deprecated, and nothing else."""
    match node.decorator_list:
        case [ast.Call(func=called, args=[ast.Constant(value=str())], keywords=[])]:
            return ast.unparse(called) == "lightbus.deprecated"
    return False


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_more(node: ast.expr) -> bool:
    """Whether this is the default of the field that takes undeclared properties; their type may be any."""
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).strip("_") == "field"
        and not node.args
        and [keyword.arg for keyword in node.keywords] == ["default_factory"]
        and re.match(r"_?dict_*\[_?str_*, ", ast.unparse(node.keywords[0].value)) is not None
    )


def _is_negative(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) in (int, float)
    )


def _is_sibling_import(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.level == 1
        and [alias.asname for alias in node.names] == [None]
        and node.names[0].name.endswith("Client")
    )


def _is_setting(node: ast.stmt) -> bool:
    """Whether a statement is one of those in the `__init__` of a client."""
    match node:
        case ast.Expr():
            return _is_text(node) or ast.unparse(node) == "super().__init__()"
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr="_bus")]):
            return ast.unparse(node.value) == "bus"
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name(id="self"), attr=event)],
            value=ast.Call(
                func=ast.Name(id=endpoint),
                args=[
                    ast.Name(id="bus"),
                    ast.Name(id="_SCHEMA"),
                    ast.Constant(value=str(name)),
                    ast.Name(id=payload),
                ],
                keywords=[],
            ),
        ):
            return event == name and endpoint == f"{payload}Endpoint"
    return False


def _need(holds: bool, node: ast.AST, why: str = "no template prints this") -> None:
    if not holds:
        raise Foreign(f"{why}: {ast.unparse(node)[:500]}")
