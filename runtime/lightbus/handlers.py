"""How a handler wants to be called: by keyword, message first, or with one payload object.

Type checkers see the same three forms as Protocols in generated code; this module catches what they
cannot see (`functools.partial`, untyped code) when `listen()` is called, not when the event arrives.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lightbus.envelope import EventMessage
from lightbus.errors import InvalidListener, did_you_mean
from lightbus.schema import EventContract, ParameterContract

Form = Literal["keyword", "message", "payload"]


@dataclass(frozen=True, slots=True)
class Handler:
    """A user's function, and how to call it.

    Attributes:
        function: the user's callable.
        name: what to call it in messages.
        form: which of the three forms its signature has.
        payload: class of the payload object for the `payload` form; None hands over the `EventMessage`.
        is_async: whether it runs on the event loop; others run in a thread.
    """

    function: Callable[..., Any]
    name: str
    form: Form
    payload: Callable[..., Any] | None
    is_async: bool

    def __call__(self, message: EventMessage) -> Any:
        """Call the function with an event, whatever its form."""
        if self.form == "keyword":
            return self.function(**message.kwargs)
        if self.form == "message":
            return self.function(message, **message.kwargs)
        return self.function(self.payload(**message.kwargs) if self.payload else message)


def handler_for(
    function: Callable[..., Any],
    contract: EventContract,
    payload: Callable[..., Any] | None = None,
) -> Handler:
    """Find out how to call a function with an event.

    Args:
        function: the user's handler, sync or async: a function, method, partial, lambda or object.
        contract: the event's contract.
        payload: the generated payload class, None on the dynamic bus.

    Raises:
        InvalidListener: no form fits; the error holds each mismatch and the signature to write.
    """
    name = _name(function)
    if not callable(function):
        raise InvalidListener(
            contract.full_name, name, ["it is not callable"], expected=expected_signature(contract)
        )
    is_async = _is_async(function)
    try:
        given = list(_signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin without signature: trust it
        return Handler(function, name, "keyword", payload, is_async)
    known = {parameter.name: parameter for parameter in contract.parameters}
    leading = given[0] if given and given[0].kind in _POSITIONAL and given[0].name not in known else None
    if leading is None:
        problems, form = _mismatches(given, known), "keyword"
    elif _takes_payload(given):
        return Handler(function, name, "payload", payload if not _wants_message(leading) else None, is_async)
    else:
        problems, form = _mismatches(given[1:], known), "message"
        if problems and leading.default is leading.empty and not _wants_message(leading):
            guess = did_you_mean(leading.name, known)
            if guess:
                problems = [f"it takes {leading.name!r}, which the event does not have{guess}", *problems]
    if problems:
        raise InvalidListener(contract.full_name, name, problems, expected=expected_signature(contract))
    return Handler(function, name, "message" if form == "message" else "keyword", payload, is_async)


def expected_signature(contract: EventContract) -> str:
    """Write out the keyword form of an event's handler, as the text of a `def`."""
    parameters = [_declaration(parameter) for parameter in contract.parameters]
    return f"def handler({', '.join(parameters)})"


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _declaration(parameter: ParameterContract) -> str:
    default = "" if parameter.always_present else " = ..."
    return f"{parameter.name}: {parameter.annotation}{default}"


def _takes_payload(given: Sequence[inspect.Parameter]) -> bool:
    """Whether the first parameter is the only one that must be given."""
    return all(parameter.default is not parameter.empty for parameter in given[1:])


def _mismatches(given: Sequence[inspect.Parameter], known: dict[str, ParameterContract]) -> list[str]:
    """List why a call with the event's values as keywords would fail."""
    problems = []
    by_keyword = {p.name: p for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in given)
    missing = [name for name in known if name not in by_keyword]
    for parameter in given:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            problems.append(f"{parameter.name!r} is positional-only, events arrive as keyword arguments")
        elif (
            parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            or parameter.default is not parameter.empty
        ):
            continue
        elif parameter.name not in known:
            guess = did_you_mean(parameter.name, missing)
            problems.append(f"it takes {parameter.name!r}, which the event does not have{guess}")
        elif not known[parameter.name].always_present:
            problems.append(f"{parameter.name!r} is optional in the event, so it needs a default")
    if not takes_any and missing:
        problems += [f"it does not take {name!r} (add it, or **_: object)" for name in missing]
    return problems


def _wants_message(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    return annotation is EventMessage or (
        isinstance(annotation, str) and annotation.rpartition(".")[2] == EventMessage.__name__
    )


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except (NameError, AttributeError, SyntaxError):  # annotations of TYPE_CHECKING imports
        return inspect.signature(function)


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - the method itself is wanted
    )


def _name(function: object) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{name}()"
