"""Generated packages, cached in the user's cache folder.

`generate` is a pure function of the schemas, the settings and its own code, so the same input gives the same text.
Only the text is cached: it is compared with the files on disk every time. A check neither reads nor writes the cache,
since its answer must not depend on a file that somebody else may have written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import lightbus.schema
from lightbus_gen.project.settings import ProjectSettings
from lightbus_gen.read.folder import real, root_name

_MAX_BYTES = 50_000_000
"""Bytes of all cached packages, beyond which the oldest are removed; one of 1,000 events has about 5 MB."""


def fingerprint(settings: ProjectSettings, texts: Mapping[str, bytes]) -> str:
    """Return a hash of everything that the generated text depends on; `texts` has the bytes of the schema files."""
    options = settings.package, settings.shared, settings.dialects, settings.distribution, settings.version
    digest = hashlib.sha256(repr((root_name(settings.schemas), options, sys.version, _code())).encode())
    for path, data in sorted(texts.items()):
        digest.update(f"{path!r} {len(data)} ".encode() + data)
    return digest.hexdigest()


def recall(settings: ProjectSettings, key: str) -> dict[str, str] | None:
    """Return the cached files with this fingerprint; None if there are none, or the entry is damaged."""
    with contextlib.suppress(OSError):
        path = _folder(settings) / key
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            _check_private(os.fstat(descriptor), stat.S_ISREG)
            digest, _, text = file.read().partition(b"\n")
        if digest == _digest(key, text):
            os.utime(path)
            files: dict[str, str] = json.loads(text)
            return files
    return None


def keep(settings: ProjectSettings, key: str, files: Mapping[str, str]) -> None:
    """Cache the generated files; if that fails, the next run generates them again."""
    text = json.dumps(files).encode()
    with contextlib.suppress(OSError):
        folder = _folder(settings)
        descriptor, temporary = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_digest(key, text) + b"\n" + text)
            Path(temporary).replace(folder / key)
        finally:
            Path(temporary).unlink(missing_ok=True)
        _evict(folder)


def _folder(settings: ProjectSettings) -> Path:
    """Return the cache folder, and create it.

    Raises:
        OSError: there is none that only this user can write to, or it is in the project.
    """
    base, root = _user_cache(), real(settings.root)
    if not base.is_absolute() or any(path.is_relative_to(root) for path in (base, real(base))):
        raise OSError(f"{base} may be part of the project")
    folder = base / "lightbus-gen"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(folder.lstat(), stat.S_ISDIR)
    return folder


def _user_cache() -> Path:
    """Return the cache folder of the platform; an empty path if the environment names none."""
    home = os.environ.get("HOME", "")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", ""))
    if sys.platform == "darwin":
        return Path(home, "Library", "Caches")
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (
        xdg if xdg.is_absolute() else Path(home, ".cache")
    )  # the XDG specification says to ignore relative ones


def _check_private(status: os.stat_result, has_type: Callable[[int], bool]) -> None:
    """Raise OSError unless a file is of this type and this user's, and nobody else has access to it."""
    if not has_type(status.st_mode):
        raise OSError("another type of file is in the way")
    if sys.platform != "win32" and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
        raise OSError("others may have written it")


def _evict(folder: Path) -> None:
    """Keep the files that were used last and fit into the limit, and remove the others."""
    files = sorted(_with_status(folder), key=lambda file: file[1].st_mtime_ns, reverse=True)
    total = 0
    for path, status in files:
        if total + status.st_size <= _MAX_BYTES:
            total += status.st_size
        else:
            path.unlink(missing_ok=True)


def _with_status(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run removed it
            yield path, path.lstat()


def _digest(key: str, text: bytes) -> bytes:
    return hashlib.sha256(key.encode() + text).hexdigest().encode()


def _code() -> list[tuple[str, int, int]]:
    """Return the names, sizes and times of the code that generates, which identify its version."""
    sources = []
    for folder in (Path(__file__).parents[1], Path(lightbus.schema.__file__).parents[1]):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".j2"):
                status = path.stat()
                sources.append((path.name, status.st_size, status.st_mtime_ns))
    return sources
