"""The last result of generating, kept beside the project: where nothing changed, there is nothing to do again.

`generate` is a pure function of the schemas, the settings and its own code, so what it made from the same of each
is what it would make now. Only the text is kept: whether the files on disk still hold it is looked at every time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import lightbus
from lightbus_gen.project.settings import ProjectSettings

FOLDER = ".lightbus"
"""Below the project's folder; what is in it can be deleted at any time."""
_FILE = "generated.json"


def fingerprint(settings: ProjectSettings, texts: Mapping[str, bytes]) -> str:
    """Return a hash of everything that the generated text depends on.

    Args:
        settings: the settings.
        texts: the bytes of each schema file, by path below the schemas folder.
    """
    facts: list[object] = [
        settings.schemas.resolve().name,
        settings.package,
        settings.shared,
        settings.dialects,
    ]
    facts += [settings.distribution, settings.version, sys.version, _code()]
    digest = hashlib.sha256(repr(facts).encode())
    for path, data in sorted(texts.items()):
        digest.update(f"{path!r} {len(data)} ".encode() + data)
    return digest.hexdigest()


def recall(settings: ProjectSettings, key: str) -> dict[str, str] | None:
    """Return the files that were made with this fingerprint; None where the last ones were others."""
    try:
        kept = json.loads((settings.root / FOLDER / _FILE).read_bytes())
        files: dict[str, str] = kept["files"]
        is_whole = isinstance(files, dict) and all(isinstance(text, str) for text in files.values())
        return files if is_whole and kept["fingerprint"] == key else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep(settings: ProjectSettings, key: str, files: Mapping[str, str]) -> None:
    """Keep what was made; where that cannot be, the next run makes it again."""
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
    """Tell this version of the code from every other by its files' sizes and times."""
    sources = []
    for folder in (Path(__file__).parents[1], Path(lightbus.__file__).parent / "schema"):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".j2"):
                status = path.stat()
                sources.append((path.name, status.st_size, status.st_mtime_ns))
    return sources
