"""Decodes the bytes of schema files to JSON values, or reports what is wrong with them."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lightbus_gen.read.files import YAML_SUFFIXES, Report, SchemaFile
from lightbus_gen.read.folder import check_paths, root_name, shown
from lightbus_gen.read.input_problems import Repeated, UnreadableText, unreadable
from lightbus_gen.read.json_text import read_json
from lightbus_gen.read.positions import line_and_column
from lightbus_gen.read.size_limits import MAX_BYTES, MAX_YAML_BYTES

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_files(folder: Path, texts: Mapping[str, bytes], report: Report) -> list[SchemaFile]:
    """Read schema files, and report those that cannot be read.

    Args:
        folder: the schemas folder, as messages call it.
        texts: the bytes of each file, by path below the folder, with `/`.
        report: collects problems.

    Returns:
        The other files, in the order of their paths.
    """
    root = root_name(folder)
    check_paths(folder, sorted(texts), report)
    return [
        file
        for path, data in sorted(texts.items())
        if (file := read_file(path, f"{root}/{path}", shown(folder, path), data, report))
    ]


def read_file(path: str, name: str, shown: str, data: bytes, report: Report) -> SchemaFile | None:
    """Read a schema file; report its problems and return None if it cannot be read.

    The first three arguments are as in `SchemaFile`.
    """
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    is_yaml = path.endswith(YAML_SUFFIXES)
    text = ""
    try:
        _check_size(data, is_yaml)
        text = _decode(data)
        if not is_yaml:
            return SchemaFile(path, name, shown, text, read_json(text))
        from lightbus_gen.read.yaml_text import read_yaml  # slow to import, and most schemas are JSON

        value, places = read_yaml(text)
        return SchemaFile(path, name, shown, _as_json(value), value, places)
    except UnreadableText as error:
        if isinstance(error, Repeated) and report.is_lenient:
            report.notices += [
                replace(problem, path=shown, message=f"{problem.message}; the last counts")
                for problem in error.problems
            ]
            text = _as_json(error.value) if is_yaml else text
            return SchemaFile(path, name, shown, text, error.value, error.places)
        report.add_unreadable(path, shown, data, error.problems)
        return None


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _check_size(data: bytes, is_yaml: bool) -> None:
    limit = MAX_YAML_BYTES if is_yaml else MAX_BYTES
    if len(data) > limit:
        advice = ", or write it in JSON" if is_yaml else ""
        message = f"has more than {limit:,} bytes, the most that are read"
        raise unreadable(0, 0, "TOO_LARGE", message, f"split it into several files{advice}")


def _decode(data: bytes) -> str:
    if data.startswith(codecs.BOM_UTF8):
        raise _not_utf8("begins with a byte order mark", "save it as UTF-8 without BOM")
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "")
    if not encoding and 0 in data[:2]:  # valid JSON has no NUL: one in the first two bytes means UTF-16
        encoding = "UTF-16"
    if encoding:
        raise _not_utf8(f"is {encoding} text, not UTF-8", "save it as UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        byte = data[error.start]
        character = bytes([byte]).decode("cp1252", errors="ignore")
        encoding = "Latin-1" if byte >= 0xA0 else "Windows-1252"
        guess = f", which is {character!r} in {encoding}" if character else ""
        message = f"is not UTF-8 text: there is the byte 0x{byte:02X}{guess}"
        raise _not_utf8(message, "save it as UTF-8", *line_and_column(before, len(before))) from None


def _not_utf8(message: str, fix: str, line: int = 1, column: int = 1) -> UnreadableText:
    return unreadable(line, column, "NOT_UTF8", message, fix)
