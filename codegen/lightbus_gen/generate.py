"""The whole generator as one function from schemas to text; the command, `--check` and tests call it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lightbus_gen.distribution import Distribution
from lightbus_gen.files import Report
from lightbus_gen.load import load
from lightbus_gen.lower import lower
from lightbus_gen.render import render


def generate(
    folder: Path,
    package: str,
    *,
    shared: Iterable[str] = (),
    overlay: Mapping[str, str] | None = None,
    distribution: Distribution | None = None,
) -> dict[str, str]:
    """Generate a package from a schemas folder. Nothing is written.

    Args:
        folder: the schemas folder.
        package: import name of the package.
        shared: globs of files and folders, relative to `folder`, that make no event.
        overlay: texts that stand in for (or join) files of the folder, by path below it.
        distribution: what others install the package as, if anything.

    Returns:
        The text of each generated file, by path below the output folder, with `/`.

    Raises:
        InputError: the schemas cannot be used; holds every problem of every file.
    """
    report = Report()
    sources = load(folder, report, shared=shared, overlay=overlay)
    return render(lower(sources, package, report, distribution))
