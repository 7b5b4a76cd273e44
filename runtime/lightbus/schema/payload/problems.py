"""The misfits of a value in words for people who write Python, not JSON Schema."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence

from lightbus.errors import Problem, did_you_mean
from lightbus.schema.language.formats import MAX_PLACES, PYTHON_NAMES, format_type, is_long_decimal
from lightbus.schema.language.misfits import Misfit, Misfits
from lightbus.schema.language.node import Node
from lightbus.schema.language.pattern_bounds import TOO_SLOW, too_slow, unbounded
from lightbus.schema.language.reference import Document

_LIMIT = 20
_MAX_KEY = 60
_NOTHING: Mapping[str, str] = {}
_EXAMPLES = {
    "date-time": "an RFC 3339 date and time, such as '2026-01-31T12:00:00Z'",
    "date": "a date, such as '2026-01-31'",
    "time": "an RFC 3339 time, such as '12:00:00Z'",
    "duration": "an RFC 3339 duration, such as 'PT1H30M'",
    "uuid": "a UUID",
    "decimal": "a decimal number, such as '12.50'",
    "email": "an e-mail address",
}
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\d[Tt ])?\d\d:\d\d(?::\d\d(?:\.\d+)?)?", re.ASCII)

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = _MAX_KEY
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 4
_short.maxlevel = 3


def short(value: object) -> str:
    """Return the repr of a value, abbreviated if it is long."""
    return _short.repr(value)


def path_text(path: Iterable[str | int], names: Mapping[str, str] | None = None) -> str:
    """Write a path in a payload as Python would index it: `address.street`, `tags[0]`.

    Args:
        path: keys and indexes, outermost first.
        names: Python names of top-level keys.
    """
    text = ""
    for step in path:
        if not text and isinstance(step, str):
            text = (names or {}).get(step, step)[:_MAX_KEY]
        elif isinstance(step, str) and step.isidentifier() and len(step) <= _MAX_KEY:
            text += f".{step}"
        else:
            text += f"[{short(step)}]"
    return text


def undeclared_problem(
    path: Sequence[str | int], known: Sequence[str], names: Mapping[str, str] = _NOTHING
) -> Problem:
    """Describe a property that the schema does not declare; one of the `known` ones may have been meant."""
    message = f"is not in the schema{did_you_mean(str(path[-1]), known)}"
    return Problem(path_text(path, names), message, "unexpected")


def explain(
    misfits: Misfits,
    value: object,
    names: Mapping[str, str] = _NOTHING,
    hints: Mapping[str, str] = _NOTHING,
) -> list[Problem]:
    """Describe the misfits of a value.

    Args:
        misfits: finds the misfits with one schema.
        value: a JSON value.
        names: Python names of top-level properties.
        hints: annotations of top-level properties.

    Returns:
        A `Problem` for each, at most 20 and one that says there are more; [] if the schema accepts the value.
    """
    return listed(_problem(misfit, names, hints) for misfit in misfits.explain(value, _LIMIT + 1))


def listed(problems: Iterable[Problem]) -> list[Problem]:
    """Return the first 20 different problems, and one that says there are more."""
    first: dict[Problem, None] = {}
    for problem in problems:
        if len(first) == _LIMIT and problem not in first:
            return [*first, Problem("", "there are more problems than these", "more")]
        first[problem] = None
    return list(first)


def _problem(misfit: Misfit, names: Mapping[str, str], hints: Mapping[str, str]) -> Problem:
    path, details = misfit.path, misfit.details
    if misfit.keyword == "required":
        name = details["property"]
        hint = hints.get(name) if not path else None
        message = f"is missing ({hint})" if hint else "is missing"
        return Problem(path_text((*path, name), names), message, "missing")
    if misfit.undeclared:
        return undeclared_problem(misfit.undeclared, _declared(misfit, {} if path else names), names)
    return Problem(path_text(path, names), _message(misfit), misfit.keyword)


def _declared(misfit: Misfit, names: Mapping[str, str]) -> list[str]:
    """Name the properties that the schema declares and the object lacks; one of them may have been meant."""
    declared = (name for part in misfit.node.conjuncts() for name, _ in part.children("properties"))
    return [names.get(name, name) for name in declared if name not in misfit.value]


def _expected(misfit: Misfit) -> str:
    """Name the Python types that are expected, a format's type instead of `str`."""
    expected: dict[str, None] = {}
    nodes: list[Node[Document]] = misfit.details["nodes"]
    for node in nodes:
        rich = format_type(node.keywords)
        names = {**PYTHON_NAMES, "string": rich.name} if rich else PYTHON_NAMES
        for kind in node.types:
            expected[names.get(kind, kind)] = None
    return " or ".join(expected)


def _message(misfit: Misfit) -> str:
    value, details = short(misfit.value), misfit.details
    if misfit.text.startswith(TOO_SLOW):
        return f"{value} {too_slow(misfit.value)}"
    match misfit.keyword:
        case "type":
            return f"expected {_expected(misfit)}, got {_got(misfit.value)}"
        case "format":
            name = details["format"]
            if name in ("date-time", "time") and _TIME.fullmatch(str(misfit.value)):
                advice = "datetime.now(UTC)" if name == "date-time" else "time(12, tzinfo=UTC)"
                return f"{value} has no time zone; use an aware one, such as {advice}"
            if name == "decimal" and is_long_decimal(str(misfit.value)):
                return f"{value} has more than {MAX_PLACES:,} digits on one side of its point"
            return f"{value} is not {_EXAMPLES.get(name, f'in the format {name!r}')}"
        case "enum":
            return f"expected {_listed(details['options'])}, got {value}{_guess(misfit.value, details['options'])}"
        case "const":
            return f"expected {short(details['expected_value'])}, got {value}"
        case "minimum":
            return f"{value} is less than {details['limit']}"
        case "maximum":
            return f"{value} is greater than {details['limit']}"
        case "exclusiveMinimum":
            return f"{value} is not greater than {details['limit']}"
        case "exclusiveMaximum":
            return f"{value} is not less than {details['limit']}"
        case "multipleOf":
            return f"{value} is not a multiple of {details['multiple_of']}"
        case "minLength" | "minItems" | "minProperties":
            return f"{value} has fewer than {details['limit']} {_PARTS[misfit.keyword[3:]]}"
        case "maxLength" | "maxItems" | "maxProperties":
            return f"{value} has more than {details['limit']} {_PARTS[misfit.keyword[3:]]}"
        case "pattern":
            return f"{value} does not match the pattern {short(unbounded(details['pattern']))}"
        case "uniqueItems":
            return f"{value} has an item twice"
        case "contentEncoding":
            return f"{value} is not base64"
        case "propertyNames":
            return f"has a key that is not allowed: {_message(details['inner'])}"
        case "falseSchema":
            return "is not allowed here"
        case "oneOf":
            return f"{value} has more than one of the forms"
    return f"{value} does not satisfy {misfit.keyword!r} of the schema"


_PARTS = {"Length": "characters", "Items": "items", "Properties": "entries"}


def _got(value: object) -> str:
    if value is None:
        return "None"
    return f"{type(value).__name__} {short(value)}"


def _listed(options: Sequence[object]) -> str:
    shown = [short(option) for option in options[:8]]
    if len(options) > 8:
        return f"one of {', '.join(shown)}, ..."
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _guess(value: object, options: Sequence[object]) -> str:
    if not isinstance(value, str):
        return ""
    return did_you_mean(value, [option for option in options if isinstance(option, str)])
