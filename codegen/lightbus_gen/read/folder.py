"""The schema files below a folder. Links are followed, and only regular files are opened."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from lightbus.foreign import escaped
from lightbus_gen.read.files import YAML_SUFFIXES, Report
from lightbus_gen.read.input_problems import InputError, InputProblem, input_error
from lightbus_gen.read.size_limits import MAX_BYTES, MAX_FILES

SUFFIXES = (".json", *YAML_SUFFIXES)


def read_folder(folder: Path, report: Report) -> dict[str, bytes]:
    """Read the schema files of a folder and its subfolders, except hidden ones.

    Returns:
        The bytes of each file by path below the folder, with `/`; at most `MAX_BYTES` + 1 bytes of each.

    Raises:
        InputError: there are too many files or folders.
    """
    texts: dict[str, bytes] = {}
    folders = itertools.count()
    for path in _files(folder, "", (), folders, report):
        if len(texts) == MAX_FILES:
            raise _too_large(folder, "schema files")
        try:
            with (folder / path).open("rb") as file:
                texts[path] = file.read(MAX_BYTES + 1)
        except OSError as error:
            _refuse(folder, path, error, report)
    return texts


def _too_large(folder: Path, what: str) -> InputError:
    message = f"holds more than {MAX_FILES:,} {what}, links followed"
    fix = "remove links, or name a smaller folder with --schemas"
    return input_error("TOO_LARGE", message, fix, path=str(folder))


def real(path: Path) -> Path:
    """Return a path with links followed. Unlike `Path.resolve`, it follows a circle of links only up to it."""
    return Path(os.path.realpath(path))


def root_name(folder: Path) -> str:
    """Return what generated code calls a schemas folder: its own name."""
    return real(folder).name or "schemas"


def check_paths(folder: Path, paths: Iterable[str], report: Report) -> None:
    """Report paths that are the same on some file systems: they differ only in case or Unicode form."""
    by_form: dict[str, str] = {}
    reported: set[str] = set()
    for path in paths:
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            place = "/".join(parts[:count])
            other = by_form.setdefault(unicodedata.normalize("NFKC", place).casefold(), place)
            if other != place and place not in reported:
                reported.add(place)
                message = f"{place!a} and {other!a} are the same file on systems that do not tell such letters apart"
                report.add_file(shown(folder, path), "NAME_COLLISION", message, "rename one of them")
                break


def _files(
    folder: Path, below: str, within: tuple[tuple[int, int], ...], folders: Iterator[int], report: Report
) -> Iterator[str]:
    """Yield the schema files of a folder and its subfolders, in order.

    Args:
        folder: the schemas folder.
        below: the path of the folder to list below it, ending with `/`.
        within: device and inode of each enclosing folder.
        folders: counts the folders; links can lead to one in very many ways.
        report: collects the files that cannot be read.

    Raises:
        InputError: there are too many folders.
    """
    if next(folders) == MAX_FILES:
        raise _too_large(folder, "folders")
    try:
        entries = sorted(entry.name for entry in (folder / below).iterdir())
        folder_stat = (folder / below).stat()
    except NotADirectoryError:
        return
    except OSError as error:
        if below or not isinstance(error, FileNotFoundError):
            _refuse(folder, below.rstrip("/"), error, report)
        return
    within = (*within, (folder_stat.st_dev, folder_stat.st_ino))
    for entry in entries:
        path = below + entry
        if entry.startswith("."):
            continue
        is_schema = entry.endswith(SUFFIXES)
        try:
            path_stat = (folder / path).stat()
        except OSError as error:
            if is_schema or "." not in entry:  # a broken link to any other file is not our concern
                _refuse(folder, path, error, report)
            continue
        if stat.S_ISDIR(path_stat.st_mode):
            if (path_stat.st_dev, path_stat.st_ino) in within:
                message = "is a link to a folder it is in itself"
                _add(report, folder, path, "LINK_LOOP", message, "remove the link")
            else:
                yield from _files(folder, f"{path}/", within, folders, report)
        elif is_schema and not _is_text(path):
            message = "its name is not UTF-8 text"
            _add(report, folder, path, "NOT_UTF8", message, "rename the file")
        elif is_schema and stat.S_ISREG(path_stat.st_mode):
            yield path
        elif is_schema:
            message = "is not a regular file but a pipe, socket or device"
            _add(report, folder, path, "NOT_READABLE", message, "remove it")


def _is_text(path: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in path)


def _refuse(folder: Path, path: str, error: OSError, report: Report) -> None:
    if error.errno == errno.ELOOP:
        rule, message, fix = "LINK_LOOP", "is a link that leads back to itself", "remove the link"
    elif isinstance(error, FileNotFoundError):
        rule, message, fix = "NOT_READABLE", "is a link that leads nowhere", "correct or remove the link"
    else:
        rule, message, fix = "NOT_READABLE", f"cannot be read: {error.strerror}", "grant read access"
    _add(report, folder, path, rule, message, fix)


def _add(report: Report, folder: Path, path: str, rule: str, message: str, fix: str) -> None:
    report.add_unreadable(path, shown(folder, path), b"", [InputProblem("", 0, 0, rule, message, fix)])


def shown(folder: Path, path: str) -> str:
    """Return the name of a path below a folder in messages: one printable line, whatever the names are."""
    return escaped(str(folder / path))
