"""Which draft of JSON Schema a file is written in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lightbus.errors import did_you_mean
from lightbus.schema.language.metaschema import DIALECTS, metaschema_problems
from lightbus.schema.python.from_api import DIALECT
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.input_problems import InputError, InputProblem

DRAFTS = dict(zip(("draft-04", "draft-06", "draft-07", "2019-09", "2020-12"), DIALECTS, strict=True))
"""The `$schema` of each draft, by what users call it."""


class Dialects:
    """Finds the draft of a file by its `$schema`.

    Args:
        chosen: the `$schema` to read a file by, by the one that it names; "" stands for none.
    """

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._chosen = {_bare(uri): dialect for uri, dialect in chosen.items()}
        self._vendors: dict[str, object] = {}

    def learn(self, value: object) -> None:
        """Take note of a loaded schema, which may be the metaschema that others name."""
        if isinstance(value, dict):
            for keyword in ("$id", "id"):
                if isinstance(uri := value.get(keyword), str):
                    self._vendors.setdefault(_bare(uri), value.get("$schema"))

    def of(self, value: object) -> str | None:
        """Return the `$schema`, a key of `DIALECTS`, that a file's value is to be read by; None for an unknown one."""
        given = value.get("$schema", "") if isinstance(value, dict) else ""
        seen = set()
        while isinstance(given, str) and given not in seen:
            seen.add(given)
            if found := self._chosen.get(_bare(given)) or known_dialect(given):
                return found
            if not given:
                return DIALECT
            given = self._vendors.get(_bare(given))
        return None

    @staticmethod
    def advice(value: object) -> tuple[str, str]:
        """Say what is wrong with the `$schema` of a value, and what to do about it."""
        given = value.get("$schema") if isinstance(value, dict) else None
        message = f"the $schema {given!r} is not one of the drafts 4, 6, 7, 2019-09 and 2020-12"
        fix = f"name the draft the file is written in, such as {DIALECT}"
        if isinstance(given, str):
            fix += f", or read it as one: --dialect {given}=2020-12 ({', '.join(DRAFTS)})"
        return message, fix


def guessed_dialect(file: SchemaFile, dialects: Dialects, report: Report) -> str | None:
    """Return the newest draft that a file with a vendor's `$schema` is valid by, with a notice; None for none."""
    fitting = (one for one in reversed(DIALECTS) if not metaschema_problems(file.value, one))
    if (found := next(fitting, None)) is not None:
        message, fix = dialects.advice(file.value)
        name = next(name for name, dialect in DRAFTS.items() if dialect == found)
        report.add_notice(file, ("$schema",), "UNKNOWN_DIALECT", f"{message}; it is read as {name}", fix)
    return found


def parse_dialects(texts: Iterable[str], path: str = "") -> dict[str, str]:
    """Read the setting `dialects`.

    Args:
        texts: `URI=DRAFT` each; without URI for files that name no `$schema`.
        path: the file that holds the setting, "" for the command line.

    Returns:
        The `$schema` to read a file by, by the one it names.

    Raises:
        InputError: a text cannot be used, or a URI is given twice.
    """
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        uri, equals, draft = text.rpartition("=")
        if not equals or draft not in DRAFTS:
            message = f"dialect {text!r} names no draft{did_you_mean(draft, DRAFTS)}"
            fix = f"write URI=DRAFT, with one of {', '.join(DRAFTS)}"
            problems.append(InputProblem(path, 0, 0, "INVALID_CONFIG", message, fix))
        elif _bare(uri) in map(_bare, found):
            message = f"dialects name {uri!r} twice" if uri else "dialects name a draft for no $schema twice"
            problems.append(InputProblem(path, 0, 0, "INVALID_CONFIG", message, "keep one of them"))
        else:
            found[uri] = DRAFTS[draft]
    if problems:
        raise InputError(problems)
    return found


def known_dialect(given: object) -> str | None:
    """Return the key of `DIALECTS` that a `$schema` means, None for none."""
    if not isinstance(given, str):
        return None
    return next((known for known in DIALECTS if _bare(known) == _bare(given)), None)


def _bare(uri: str) -> str:
    """Leave out what does not matter in a `$schema`: the protocol, and an empty fragment."""
    return re.sub(r"^https?://|#$", "", uri)
