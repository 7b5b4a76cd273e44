"""The last generated package, cached beside the project.

`generate` is a pure function of the schemas, the settings and its own code, so the same input gives the same text.
Only the text is cached: it is compared with the files on disk every time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import lightbus.schema
from lightbus_gen.project.settings import ProjectSettings
from lightbus_gen.read.folder import root_name

FOLDER = ".lightbus"
"""The cache folder below the project's folder; it can be deleted at any time."""
_FILE = "generated.json"


def fingerprint(settings: ProjectSettings, texts: Mapping[str, bytes]) -> str:
    """Return a hash of everything that the generated text depends on; `texts` has the bytes of the schema files."""
    options = settings.package, settings.shared, settings.dialects, settings.distribution, settings.version
    digest = hashlib.sha256(repr((root_name(settings.schemas), options, sys.version, _code())).encode())
    for path, data in sorted(texts.items()):
        digest.update(f"{path!r} {len(data)} ".encode() + data)
    return digest.hexdigest()


def recall(settings: ProjectSettings, key: str) -> dict[str, str] | None:
    """Return the cached files if they have this fingerprint, otherwise None."""
    try:
        cached = json.loads((settings.root / FOLDER / _FILE).read_bytes())
        files: dict[str, str] = cached["files"]
        is_whole = isinstance(files, dict) and all(isinstance(text, str) for text in files.values())
        return files if is_whole and cached["fingerprint"] == key else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep(settings: ProjectSettings, key: str, files: Mapping[str, str]) -> None:
    """Cache the generated files; if that fails, the next run generates them again."""
    folder = settings.root / FOLDER
    temporary = folder / f"{_FILE}.{os.getpid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        try:
            temporary.write_text(json.dumps({"fingerprint": key, "files": files}), encoding="utf-8")
            temporary.replace(folder / _FILE)
        finally:
            temporary.unlink(missing_ok=True)


def _code() -> list[tuple[str, int, int]]:
    """Return the names, sizes and times of the generator's own files, which identify its version."""
    sources = []
    for folder in (Path(__file__).parents[1], Path(lightbus.schema.__file__).parent):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".j2"):
                status = path.stat()
                sources.append((path.name, status.st_size, status.st_mtime_ns))
    return sources
