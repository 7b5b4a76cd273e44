"""Which draft of JSON Schema a file is written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lightbus.errors import did_you_mean
from lightbus.schema.language.keywords import DIALECT, DRAFTS, bare, draft_of
from lightbus.schema.language.validation import metaschema_problems
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.input_problems import InputError, InputProblem

_BY_NAME = {draft.name: draft.uri for draft in DRAFTS.values()}


class Dialects:
    """Finds the draft of a file by its `$schema`.

    Args:
        chosen: the `$schema` to read a file by, by the one that it names; "" stands for none.
    """

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._chosen = {bare(uri): dialect for uri, dialect in chosen.items()}
        self._vendors: dict[str, object] = {}

    def learn(self, value: object) -> None:
        """Take note of a loaded schema, which may be the metaschema that others name."""
        if isinstance(value, dict):
            for keyword in ("$id", "id"):
                if isinstance(uri := value.get(keyword), str):
                    self._vendors.setdefault(bare(uri), value.get("$schema"))

    def of(self, value: object) -> str | None:
        """Return the `$schema`, a key of `DRAFTS`, that a file's value is to be read by; None for an unknown one."""
        given = value.get("$schema", "") if isinstance(value, dict) else ""
        seen = set()
        while isinstance(given, str) and given not in seen:
            seen.add(given)
            if found := self._chosen.get(bare(given)) or known_dialect(given):
                return found
            if not given:
                return DIALECT
            given = self._vendors.get(bare(given))
        return None

    @staticmethod
    def advice(value: object) -> tuple[str, str]:
        """Say what is wrong with the `$schema` of a value, and what to do about it."""
        given = value.get("$schema") if isinstance(value, dict) else None
        message = f"the $schema {given!r} is not one of the drafts 4, 6, 7, 2019-09 and 2020-12"
        fix = f"name the draft the file is written in, such as {DIALECT}"
        if isinstance(given, str):
            fix += f", or read it as one: --dialect {given}=2020-12 ({', '.join(_BY_NAME)})"
        return message, fix


def guessed_dialect(file: SchemaFile, dialects: Dialects, report: Report) -> str | None:
    """Return the newest draft that a file with a vendor's `$schema` is valid by, with a notice; None for none."""
    fitting = (one for one in reversed(DRAFTS) if not metaschema_problems(file.value, one))
    if (found := next(fitting, None)) is not None:
        message, fix = dialects.advice(file.value)
        told = f"{message}; it is read as {DRAFTS[found].name}"
        report.add_notice(file, ("$schema",), "UNKNOWN_DIALECT", told, fix)
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
        if not equals or draft not in _BY_NAME:
            message = f"dialect {text!r} names no draft{did_you_mean(draft, _BY_NAME)}"
            fix = f"write URI=DRAFT, with one of {', '.join(_BY_NAME)}"
            problems.append(InputProblem(path, 0, 0, "INVALID_CONFIG", message, fix))
        elif bare(uri) in map(bare, found):
            message = f"dialects name {uri!r} twice" if uri else "dialects name a draft for no $schema twice"
            problems.append(InputProblem(path, 0, 0, "INVALID_CONFIG", message, "keep one of them"))
        else:
            found[uri] = _BY_NAME[draft]
    if problems:
        raise InputError(problems)
    return found


def known_dialect(given: object) -> str | None:
    """Return the key of `DRAFTS` that a `$schema` means, None for none."""
    draft = draft_of(given) if isinstance(given, str) else None
    return draft.uri if draft else None
