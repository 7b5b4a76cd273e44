"""Names of classes in the `$defs` of a schema document."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lightbus.schema.python.values import type_text

_MAX_NAME = 100
"""Characters of a name before it is shortened; a class may have any number of type parameters."""


def class_key(text: str) -> str:
    """Return the key of a class while a document is built, by its full text, as `full_text` returns it."""
    return f"class-{_digest(text)}"


def full_text(cls: Any) -> str:
    """Return a class with its module and type parameters: `shop.bus.Page[list[int]]`."""
    return type_text(cls).replace(" ", "").replace("builtins.", "")


def definition_names(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the names of definitions by key: short, and told apart by module where two classes share a name.

    A name depends on the classes of the document, and not on their order.

    Args:
        texts: the full text of each class by key.
    """
    levels = dict.fromkeys(texts, 0)
    while True:
        names = {key: _candidates(text)[levels[key]] for key, text in texts.items()}
        uses = Counter(names.values())
        shared = [key for key, name in names.items() if uses[name] > 1 and levels[key] < 2]
        if not shared:
            return names
        for key in shared:
            levels[key] += 1


def short_name(text: str) -> str:
    """Return a class's name without modules: `Page_list_int`."""
    return _joined(re.sub(r"[\w<>.]+", lambda dotted: dotted[0].rpartition(".")[2], text))


def renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema whose references to keys are references to names."""
    if isinstance(schema, str):
        name = names.get(schema.removeprefix(REFERENCE))
        return schema if name is None or not schema.startswith(REFERENCE) else REFERENCE + quote(name)
    if isinstance(schema, list):
        return [renamed(item, names) for item in schema]
    if isinstance(schema, dict):
        return {key: renamed(value, names) for key, value in schema.items()}
    return schema


REFERENCE = "#/$defs/"


def _candidates(text: str) -> tuple[str, str, str]:
    """Return the names that a class may have, the one to prefer first; no other class has the last."""
    short = short_name(text)
    return short, _joined(text), f"{short}_{_digest(text)}"


def _joined(text: str) -> str:
    name = "_".join(re.findall(r"\w+", text)).strip("_") or "_"
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}_{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
