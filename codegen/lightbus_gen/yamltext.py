"""YAML as the JSON it stands for, with a place for every value.

Read by the core schema of YAML 1.2, whose plain words are JSON's: `no`, `on` and dates are strings, as people mean
them in a schema. What JSON cannot hold is refused where it stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from lightbus_gen.positions import Path

MAX_VALUES = 100_000
"""The most values a text may hold once its aliases are written out; a few lines of YAML can stand for billions."""

_TAG = "tag:yaml.org,2002:"
_WORDS = {
    "null": re.compile(r"(?:null|Null|NULL|~|)\Z"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    "float": re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
}
_NO_NUMBER = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


class YamlError(Exception):
    """A text that stands for no JSON value.

    Attributes:
        line, column: where, from 1.
        rule: id of the problem's kind.
        message, fix: what is wrong, and what to do.
    """

    def __init__(self, mark: yaml.Mark, rule: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.line, self.column = mark.line + 1, mark.column + 1
        self.rule, self.message, self.fix = rule, message, fix


class _Loader(yaml.SafeLoader):
    """Knows the plain words of the core schema only."""


_Loader.yaml_implicit_resolvers = {
    None: [*((_TAG + name, pattern) for name, pattern in _WORDS.items()), (_TAG + "float", _NO_NUMBER)]
}


def read_yaml(text: str) -> tuple[Any, dict[Path, tuple[int, int]]]:
    """Read a YAML document.

    Args:
        text: one document.

    Returns:
        Its JSON value, and (line, column) of each value in it: of its key in an object.

    Raises:
        YamlError: it is not valid YAML, or holds what JSON cannot.
        RecursionError: it nests too deep to be read.
    """
    try:
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        assert mark is not None
        raise YamlError(
            mark, "INVALID_YAML", f"is not valid YAML: {error.problem}", "correct the YAML here"
        ) from error
    except yaml.reader.ReaderError as error:
        mark = yaml.Mark("", error.position, text.count("\n", 0, error.position), 0, None, 0)
        message = f"is not valid YAML: the character U+{error.character:04X} may not stand in it"
        raise YamlError(mark, "INVALID_YAML", message, "remove the character") from error
    places: dict[Path, tuple[int, int]] = {(): (1, 1)}
    return (None if node is None else _Reader(places).value(node, (), ())), places


class _Reader:
    def __init__(self, places: dict[Path, tuple[int, int]]) -> None:
        self._places = places

    def value(self, node: yaml.Node, path: Path, within: tuple[yaml.Node, ...]) -> Any:
        """Return the JSON value of a node, noting the places of what it holds."""
        if any(node is outer for outer in within):
            raise YamlError(
                node.start_mark, "INVALID_YAML", "holds itself by an alias", "use $ref for recursion"
            )
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        within = (*within, node)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(child, self._place((*path, index), child), within)
                for index, child in enumerate(node.value)
            ]
        found: dict[str, Any] = {}
        for key, child in self._pairs(node):
            name = _text(key)
            if name in found:
                message = f"the key {name!r} is given twice in this object"
                raise YamlError(key.start_mark, "DUPLICATE_KEY", message, "keep one of them")
            found[name] = self.value(child, self._place((*path, name), key), within)
        return found

    def _pairs(self, node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(
                    key.start_mark, "INVALID_YAML", "has a key that is no text", "write a plain key"
                )
            if key.value == "<<" and key.style is None:
                message = "merges keys with '<<', which YAML 1.2 no longer knows"
                raise YamlError(key.start_mark, "INVALID_YAML", message, "use $ref, or allOf with $ref")
            yield key, child

    def _place(self, path: Path, node: yaml.Node) -> Path:
        if len(self._places) > MAX_VALUES:
            message = f"holds more than {MAX_VALUES:,} values once its aliases are written out"
            raise YamlError(node.start_mark, "TOO_LARGE", message, "use $ref instead of aliases")
        self._places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        return path


def _text(node: yaml.ScalarNode) -> str:
    """Return the text of a scalar; as in JSON, two escapes may make up one character."""
    return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _scalar(node: yaml.ScalarNode) -> Any:
    text = _text(node)
    match node.tag.removeprefix(_TAG):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if _WORDS["int"].match(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float" if _WORDS["float"].match(text) and math.isfinite(float(text)):
            return float(text)
    message = f"has {text!r}, which is no JSON value" + (f" ({node.tag})" if node.tag.startswith("!") else "")
    raise YamlError(node.start_mark, "INVALID_YAML", message, "write a number, a string, true, false or null")
