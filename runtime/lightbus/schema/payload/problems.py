"""A validator's errors in words for people who write Python, not JSON Schema."""

from __future__ import annotations

import itertools
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs

from lightbus.errors import Problem, did_you_mean
from lightbus.schema.language.formats import MAX_PLACES, PYTHON_NAMES, format_type, is_long_decimal
from lightbus.schema.language.keywords import UNIONS
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


def short_text(text: str) -> str:
    """Return a text without its middle if it is long."""
    return text if len(text) <= 2 * _MAX_KEY else f"{text[:_MAX_KEY]}...{text[-_MAX_KEY:]}"


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
    errors: Iterable[jsonschema_rs.ValidationError],
    document: Document,
    names: Mapping[str, str] = _NOTHING,
    hints: Mapping[str, str] = _NOTHING,
) -> list[Problem]:
    """Describe a validator's errors.

    Args:
        errors: the result of `iter_errors`.
        document: the document that the validator was compiled from.
        names: Python names of top-level properties.
        hints: annotations of top-level properties.

    Returns:
        A `Problem` for each, at most 20 and one that says there are more.
    """
    explainer = _Explainer(document, names, hints)
    problems: dict[Problem, None] = {}
    for problem in itertools.chain.from_iterable(map(explainer.problems, errors)):
        if len(problems) == _LIMIT and problem not in problems:
            return [*problems, Problem("", "there are more problems than these", "more")]
        problems[problem] = None
    return list(problems)


def explain_one(
    validator: jsonschema_rs.Validator, data: Any, names: Mapping[str, str] = _NOTHING
) -> list[Problem]:
    """Describe the first error in a very large value in the validator's words, which is quick."""
    errors = validator.evaluate(data).errors()
    if not errors:  # it leaves out the patterns of property names that took too long
        return [] if validator.is_valid(data) else [Problem("", too_slow(data), "pattern")]
    first = errors[0]
    path, value = list[str | int](), data
    for token in first["instanceLocation"].split("/")[1:]:
        step: Any = int(token) if isinstance(value, list) else token.replace("~1", "/").replace("~0", "~")
        path.append(step)
        value = value[step]
    message = (
        too_slow(value) if first["error"].startswith(TOO_SLOW) else short_text(unbounded(first["error"]))
    )
    kind = first["schemaLocation"].rpartition("/")[2]
    return [
        Problem(path_text(path, names), message, kind),
        Problem("", "there may be more problems", "more"),
    ]


class _Explainer:
    def __init__(self, document: Document, names: Mapping[str, str], hints: Mapping[str, str]) -> None:
        self._document, self._names, self._hints = document, names, hints

    def problems(self, error: jsonschema_rs.ValidationError) -> Iterator[Problem]:
        keyword, details = error.kind.name, error.kind.as_dict()
        if keyword == "required":
            name = details["property"]
            hint = self._hints.get(name) if not error.instance_path else None
            yield self._problem(
                [*error.instance_path, name], f"is missing ({hint})" if hint else "is missing", "missing"
            )
        elif "unexpected" in details and keyword.endswith("Properties"):
            declared = self._declared(error)
            for name in details["unexpected"]:
                yield undeclared_problem([*error.instance_path, name], declared, self._names)
        elif keyword in UNIONS and details.get("context"):
            yield from self._branches(error, details["context"])
        else:
            message = self._message(error, keyword, details)
            yield self._problem(error.instance_path, message, keyword)

    def _problem(self, path: Sequence[str | int], message: str, kind: str) -> Problem:
        return Problem(path_text(path, self._names), message, kind)

    def _holder(self, error: jsonschema_rs.ValidationError) -> Any:
        """Return the schema whose keyword refused, or None if it is outside the document."""
        if error.absolute_keyword_location:  # in an embedded document
            uri = error.absolute_keyword_location.rpartition("/")[0]
            node = self._document.find(self._document.root, uri)
            return node.schema if node else None
        schema: Any = self._document.schema
        try:
            for step in error.schema_path[:-1]:
                schema = schema[unbounded(step) if isinstance(step, str) else step]
        except (LookupError, TypeError):
            return None
        return schema

    def _declared(self, error: jsonschema_rs.ValidationError) -> list[str]:
        schema = self._holder(error)
        declared = schema.get("properties", {}) if isinstance(schema, dict) else {}
        present = error.instance if isinstance(error.instance, dict) else {}
        names = self._names if not error.instance_path else {}
        return [names.get(name, name) for name in declared if name not in present]

    def _branches(
        self, error: jsonschema_rs.ValidationError, context: list[list[jsonschema_rs.ValidationError]]
    ) -> Iterator[Problem]:
        """Explain the branch that was meant: of those for this type of value, the one with the fewest errors."""
        path = error.instance_path
        wrong_types = []
        candidates = []
        for branch in context:
            wrong_type = next((e for e in branch if e.kind.name == "type" and e.instance_path == path), None)
            if wrong_type:
                wrong_types.append(wrong_type)
            elif branch:
                candidates.append(branch)
        if candidates:
            for inner in min(candidates, key=_distance):
                yield from self.problems(inner)
        elif wrong_types:
            expected = " or ".join(dict.fromkeys(map(self._expected, wrong_types)))
            yield self._problem(path, f"expected {expected}, got {_got(error.instance)}", "type")
        else:  # every branch accepts the value, and only one may
            yield self._problem(path, self._message(error, "oneOf", {}), error.kind.name)

    def _expected(self, error: jsonschema_rs.ValidationError) -> str:
        """Name the Python types that a `type` error expects, a format's type instead of `str`."""
        types: list[str] = error.kind.as_dict()["types"]
        rich = format_type(self._holder(error))
        names = {**PYTHON_NAMES, "string": rich.name} if rich else PYTHON_NAMES
        return " or ".join(names.get(kind, kind) for kind in types)

    def _message(self, error: jsonschema_rs.ValidationError, keyword: str, details: dict[str, Any]) -> str:
        value = short(error.instance)
        match keyword:
            case "pattern" if error.message.startswith(TOO_SLOW):  # its details lack the pattern
                return f"{value} {too_slow(error.instance)}"
            case "type":
                return f"expected {self._expected(error)}, got {_got(error.instance)}"
            case "format":
                name = details["format"]
                if name in ("date-time", "time") and _TIME.fullmatch(str(error.instance)):
                    advice = "datetime.now(UTC)" if name == "date-time" else "time(12, tzinfo=UTC)"
                    return f"{value} has no time zone; use an aware one, such as {advice}"
                if name == "decimal" and is_long_decimal(str(error.instance)):
                    return f"{value} has more than {MAX_PLACES:,} digits on one side of its point"
                return f"{value} is not {_EXAMPLES.get(name, f'in the format {name!r}')}"
            case "enum":
                return f"expected {_listed(details['options'])}, got {value}{_guess(error.instance, details['options'])}"
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
                return f"{value} has fewer than {details['limit']} {_PARTS[keyword[3:]]}"
            case "maxLength" | "maxItems" | "maxProperties":
                return f"{value} has more than {details['limit']} {_PARTS[keyword[3:]]}"
            case "pattern":
                return f"{value} does not match the pattern {short(unbounded(details['pattern']))}"
            case "uniqueItems":
                return f"{value} has an item twice"
            case "contentEncoding":
                return f"{value} is not base64"
            case "propertyNames":
                inner = details["error"]
                message = self._message(inner, inner.kind.name, inner.kind.as_dict())
                return f"has a key that is not allowed: {message}"
            case "falseSchema":
                return "is not allowed here"
            case "oneOf":
                return f"{value} has more than one of the forms"
        return f"{value} does not satisfy {keyword!r} of the schema"


_PARTS = {"Length": "characters", "Items": "items", "Properties": "entries"}


def _distance(branch: list[jsonschema_rs.ValidationError]) -> tuple[bool, int]:
    """How far a value is from a branch; a wrong tag means that another branch was meant."""
    return any(error.kind.name in ("const", "enum") for error in branch), len(branch)


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
