"""The form of a handler: by keyword, message first, or with one payload object.

Type checkers see the same three forms as Protocols in generated code. This module catches what they cannot see
(`functools.partial`, untyped code) when `listen()` is called, not when the event arrives.
"""

from __future__ import annotations

import functools
import inspect
import re
import traceback
import types
import typing
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lightbus.errors import InvalidListener, did_you_mean
from lightbus.event.tracebacks import is_ours
from lightbus.foreign import text_of, trace_of
from lightbus.message import EventMessage
from lightbus.schema import EventContract, ParameterContract

Form = Literal["keyword", "message", "payload"]


@dataclass(frozen=True, slots=True)
class Handler:
    """A user's function, and how to call it.

    Attributes:
        function: the user's callable.
        name: its name in messages.
        form: which of the three forms its signature has.
        payload: class of the payload object for the `payload` form; None passes the `EventMessage`.
        is_async: whether it runs on the event loop; others run in a thread.
        arguments: turns the event's values into keyword arguments, where they differ.
    """

    function: Callable[..., Any]
    name: str
    form: Form
    payload: Callable[..., Any] | None
    is_async: bool
    arguments: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def __call__(self, message: EventMessage) -> Any:
        """Call the function with an event, whatever its form."""
        kwargs = self.arguments(message.kwargs) if self.arguments else message.kwargs
        if self.form == "keyword":
            return self.function(**kwargs)
        if self.form == "message":
            return self.function(message, **kwargs)
        return self.function(self.payload(**kwargs) if self.payload else message)

    @property
    def place(self) -> str:
        """Where the function is defined, as `path:line`; its module if that is not known."""
        function: Any = self.function
        while isinstance(function, functools.partial):
            function = function.func
        function = inspect.unwrap(function)
        code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code else str(type(function).__module__)


def handler_for(
    function: Callable[..., Any],
    contract: EventContract,
    payload: Callable[..., Any] | None = None,
) -> Handler:
    """Determine how to call a function with an event.

    Args:
        function: the user's handler, sync or async: a function, method, partial, lambda or object.
        contract: the event's contract.
        payload: the generated payload class, None on the dynamic bus.

    Raises:
        InvalidListener: no form fits; the error lists each mismatch and the expected signature.
    """
    name = _name(function)

    def invalid(*problems: str) -> InvalidListener:
        expected = expected_signature(contract)
        return InvalidListener(contract.full_name, name, problems, expected=expected)

    if not callable(function):
        raise invalid("it is not callable")
    if _is(function, inspect.isgeneratorfunction) or _is(function, inspect.isasyncgenfunction):
        raise invalid("it is a generator, so calling it would not run it; return instead of yield")
    is_async = _is(function, inspect.iscoroutinefunction)
    try:
        parameters = list(_signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin without signature: trust it
        return Handler(function, name, "keyword", payload, is_async)
    declared = {parameter.name: parameter for parameter in contract.parameters}
    form = _form(parameters, declared, payload)
    if form == "payload":
        takes_message = _is_annotated(parameters[0], EventMessage)
        fields = functools.partial(_fields, contract) if contract.more else None
        return Handler(function, name, "payload", None if takes_message else payload, is_async, fields)
    problems = _mismatches(parameters[1:] if form == "message" else parameters, declared)
    may_be_misspelt = problems and form == "message" and not _is_annotated(parameters[0], EventMessage)
    if may_be_misspelt and (guess := did_you_mean(parameters[0].name, declared)):
        problems = [f"it takes {parameters[0].name!r}, which the event does not have{guess}", *problems]
    taken = _taken(function, form, parameters)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    if takes_any:
        by_keyword = {p.name for p in parameters if p.default is not p.empty or p.kind is p.KEYWORD_ONLY}
        problems += [
            f"{name!r} has a value by position already; make it positional-only, as in ({name}, /, **_)"
            for name in declared
            if name in taken - by_keyword
        ]
    if problems:
        raise invalid(*problems)
    arguments: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    if contract.more and takes_any:
        bound = taken.union(function.keywords) if isinstance(function, functools.partial) else taken
        arguments = functools.partial(_without, bound - declared.keys())
    elif contract.more:
        arguments = functools.partial(_declared, contract)
    return Handler(function, name, form, payload, is_async, arguments)


_MISCALLED = re.compile(
    r"\(\) (missing|takes|got) "
)  # what Python says of a call that does not fit a signature


def hidden_signature(
    handler: Handler, contract: EventContract, error: BaseException
) -> InvalidListener | None:
    """Return the error to report when each call fails because a decorator hides the signature; None otherwise.

    A wrapper of `*args, **kwargs` accepts any call, so `listen()` cannot know which one fits the function inside.
    """
    if not isinstance(error, TypeError) or not _MISCALLED.search(text := text_of(error)):
        return None
    codes = [frame.f_code for frame, _ in traceback.walk_tb(trace_of(error))]
    wrappers = [code for code in codes if not is_ours(code.co_filename)]
    either = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
    if not wrappers or any(
        code.co_argcount or code.co_kwonlyargcount or not code.co_flags & either for code in wrappers
    ):
        return None
    problem = (
        f"its signature does not say how to call it, as that of a decorator without functools.wraps, and {text};"
        " put @functools.wraps(function) on the decorator's wrapper"
    )
    expected = expected_signature(contract)
    invalid = InvalidListener(contract.full_name, handler.name, [problem], expected=expected)
    invalid.__cause__ = error
    return invalid


def _declared(contract: EventContract, values: dict[str, Any]) -> dict[str, Any]:
    return contract.split(values)[0]


def _without(names: frozenset[str], values: dict[str, Any]) -> dict[str, Any]:
    if names.isdisjoint(values):
        return values
    return {name: value for name, value in values.items() if name not in names}


def _taken(
    function: Callable[..., Any], form: Form, parameters: Sequence[inspect.Parameter]
) -> frozenset[str]:
    """Return the names of parameters that get a value by position, which no keyword may repeat."""
    positional = [*parameters[:1]] if form == "message" else []
    if isinstance(function, functools.partial):
        positional += [*_signature(function.func).parameters.values()][: len(function.args)]
    return frozenset({"self", *(p.name for p in positional if p.kind is p.POSITIONAL_OR_KEYWORD)})


def _fields(contract: EventContract, values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a payload object; one of them keeps the undeclared properties."""
    declared, more = contract.split(values)
    return {**declared, contract.more: more}


def _form(
    parameters: Sequence[inspect.Parameter],
    declared: Collection[str],
    payload: Callable[..., Any] | None,
) -> Form:
    """Determine the form from the first parameter: by its annotation, else by whether the event has its name."""
    if not parameters or parameters[0].kind not in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL):
        return "keyword"
    first, rest = parameters[0], parameters[1:]
    wants_payload = payload is not None and _is_annotated(first, payload)
    if first.name in declared and not wants_payload and not _is_annotated(first, EventMessage):
        return "keyword"
    if not _may_be(first.annotation, EventMessage, payload):
        return "keyword"  # a misspelt value
    alone = all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in rest)
    takes_more = any(p.kind is p.VAR_KEYWORD for p in rest)
    return "payload" if alone and (wants_payload or not takes_more) else "message"


def _may_be(annotation: object, *classes: Callable[..., Any] | None) -> bool:
    """Whether an annotation may stand for one of the classes; True when in doubt."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return any(_may_be(member, *classes) for member in typing.get_args(annotation))
    kind = typing.get_origin(annotation) or annotation
    if kind in (inspect.Parameter.empty, Any) or not isinstance(kind, type) or typing.is_typeddict(kind):
        return True
    is_protocol = getattr(kind, "_is_protocol", False)
    return is_protocol or any(isinstance(cls, type) and issubclass(cls, kind) for cls in classes)


def expected_signature(contract: EventContract) -> str:
    """Return the keyword form of an event's handler as the text of a `def`."""
    parameters = [_declaration(parameter) for parameter in contract.parameters]
    parameters += [f"**{contract.more}"] if contract.more else []
    return f"def handler({', '.join(parameters)})"


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _declaration(parameter: ParameterContract) -> str:
    default = "" if parameter.always_present else " = ..."
    return f"{parameter.name}: {parameter.annotation}{default}"


def _mismatches(parameters: Sequence[inspect.Parameter], declared: dict[str, ParameterContract]) -> list[str]:
    """List the reasons why a call with the event's values as keywords would fail."""
    problems = []
    by_keyword = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    missing = [name for name in declared if name not in by_keyword]
    for parameter in parameters:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            problems.append(f"{parameter.name!r} is positional-only, events arrive as keyword arguments")
        elif (
            parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            or parameter.default is not parameter.empty
        ):
            continue
        elif parameter.name not in declared:
            guess = did_you_mean(parameter.name, missing)
            problems.append(f"it takes {parameter.name!r}, which the event does not have{guess}")
        elif not declared[parameter.name].always_present:
            problems.append(f"{parameter.name!r} is optional in the event, so it needs a default")
    if not takes_any and missing:
        problems += [f"it does not take {name!r} (add it, or **_: object)" for name in missing]
    return problems


def _is_annotated(parameter: inspect.Parameter, cls: Callable[..., Any]) -> bool:
    """Whether a parameter is annotated with a class, perhaps as a string that could not be evaluated."""
    annotation = parameter.annotation
    name = getattr(cls, "__name__", "")
    return annotation is cls or (isinstance(annotation, str) and annotation.rpartition(".")[2] == name)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except (NameError, AttributeError, SyntaxError):  # annotations of TYPE_CHECKING imports
        return inspect.signature(function)


def _is(function: Callable[..., Any], kind: Callable[[object], bool]) -> bool:
    """Whether a function, or what a partial or callable object calls, is of a kind."""
    while isinstance(function, functools.partial):
        function = function.func
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004 - the method itself


def _name(function: object) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{name}()"
