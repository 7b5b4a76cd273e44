"""YAML as JSON, with the place of every value.

Scalars follow the core schema of YAML 1.2, so `no`, `on` and dates are strings, as the authors of schemas expect. A
value that JSON does not have is refused, with its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from lightbus_gen.read.input_problems import InputProblem, Repeated, UnreadableText, repeated_key, unreadable
from lightbus_gen.read.positions import JsonPath, line_and_column
from lightbus_gen.read.size_limits import MAX_BYTES, MAX_DEPTH, MAX_DIGITS, MAX_KEY, MAX_VALUES

_TAG = "tag:yaml.org,2002:"
_WORDS = {
    "null": re.compile(r"(?:null|Null|NULL|~|)\Z"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    "float": re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
}
_NO_NUMBER = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


class _Loader(yaml.SafeLoader):
    """A loader that resolves scalars by the core schema, and limits the depth."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, unless it is nested too deeply."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {
    None: [*((_TAG + name, pattern) for name, pattern in _WORDS.items()), (_TAG + "float", _NO_NUMBER)]
}


def read_yaml(text: str) -> tuple[Any, dict[JsonPath, tuple[int, int]]]:
    """Read a YAML document.

    Returns:
        Its JSON value, and (line, column) of each value in it: of its key in an object.

    Raises:
        UnreadableText: it is not valid YAML, passes a limit, has a key twice in an object, or holds what JSON cannot.
    """
    try:
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        assert mark is not None
        message = f"is not valid YAML: {error.problem}"
        raise _unreadable(mark, "INVALID_YAML", message, "correct the YAML here") from None
    except yaml.reader.ReaderError as error:
        message = f"is not valid YAML: the character U+{error.character:04X} may not stand in it"
        place = line_and_column(text, error.position)
        raise unreadable(*place, "INVALID_YAML", message, "remove the character") from None
    places: dict[JsonPath, tuple[int, int]] = {(): (1, 1)}
    if node is None:
        return None, places
    reader = _Reader(places)
    value = reader.value(node, (), ())
    if reader.repeats:
        raise Repeated(reader.repeats, value, places)
    return value, places


def _unreadable(mark: yaml.Mark, rule: str, message: str, fix: str) -> UnreadableText:
    return unreadable(mark.line + 1, mark.column + 1, rule, message, fix)


def _too_deep(mark: Any) -> UnreadableText:
    return _unreadable(mark, "TOO_DEEP", f"nests more than {MAX_DEPTH} levels", "use $ref for inner types")


class _Reader:
    def __init__(self, places: dict[JsonPath, tuple[int, int]]) -> None:
        self.repeats: list[InputProblem] = []
        self._places = places
        self._characters = 0

    def value(self, node: yaml.Node, path: JsonPath, within: tuple[yaml.Node, ...]) -> Any:
        """Return the JSON value of a node, and record the places of the values in it."""
        if any(node is outer for outer in within):
            message = "holds itself by an alias"
            raise _unreadable(node.start_mark, "INVALID_YAML", message, "use $ref for recursion")
        if len(path) >= MAX_DEPTH:
            raise _too_deep(node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            self._count(node)
            return _scalar(node)
        if node.tag not in (f"{_TAG}seq", f"{_TAG}map"):
            message = f"has the tag {node.tag.replace(_TAG, '!!')}, which JSON has no value for"
            raise _unreadable(node.start_mark, "INVALID_YAML", message, "write it without tag")
        within = (*within, node)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(child, self._place((*path, index), child), within)
                for index, child in enumerate(node.value)
            ]
        result: dict[str, Any] = {}
        for key, child in self._pairs(node):
            if key.value in result:
                mark = key.start_mark
                self.repeats.append(repeated_key((*path, key.value), mark.line + 1, mark.column + 1))
            result[key.value] = self.value(child, self._place((*path, key.value), key), within)
        return result

    def _pairs(self, node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, child in node.value:
            mark = key.start_mark
            if not isinstance(key, yaml.ScalarNode):
                raise _unreadable(mark, "INVALID_YAML", "has a key that is no text", "write a plain key")
            if key.value == "<<" and key.style is None:
                message = "merges keys with '<<', which YAML 1.2 no longer knows"
                raise _unreadable(mark, "INVALID_YAML", message, "use $ref, or allOf with $ref")
            if len(key.value) > MAX_KEY:
                message = f"a key has {len(key.value):,} characters; at most {MAX_KEY:,} are read"
                raise _unreadable(mark, "TOO_LARGE", message, "shorten it")
            self._count(key)
            yield key, child

    def _place(self, path: JsonPath, node: yaml.Node) -> JsonPath:
        if len(self._places) > MAX_VALUES:
            message = f"holds more than {MAX_VALUES:,} values once its aliases are written out"
            raise _unreadable(node.start_mark, "TOO_LARGE", message, "use $ref instead of aliases")
        self._places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        return path

    def _count(self, node: yaml.ScalarNode) -> None:
        self._characters += len(node.value)
        if self._characters > MAX_BYTES:
            message = f"holds more than {MAX_BYTES:,} characters once its aliases are written out"
            raise _unreadable(node.start_mark, "TOO_LARGE", message, "use $ref instead of aliases")
        if any("\ud800" <= char <= "\udfff" for char in node.value):
            message = "holds half of a surrogate pair, which is no character by itself"
            raise _unreadable(node.start_mark, "INVALID_YAML", message, "write the character itself")


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    match node.tag.removeprefix(_TAG):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" | "float" if len(text) > MAX_DIGITS:
            message = f"a number has {len(text):,} digits; at most {MAX_DIGITS:,} are read"
            raise _unreadable(node.start_mark, "TOO_LARGE", message, "write a shorter number")
        case "int" if _WORDS["int"].match(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float" if _WORDS["float"].match(text) and math.isfinite(float(text)):
            return float(text)
    message = f"has {text!r}, which is no JSON value" + (f" ({node.tag})" if node.tag.startswith("!") else "")
    raise _unreadable(
        node.start_mark, "INVALID_YAML", message, "write a number, a string, true, false or null"
    )
