"""The whole generator as one function from schemas to text; the command, `--check` and tests call it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lightbus_gen.emit.distribution import Distribution
from lightbus_gen.emit.render import module_printer, render
from lightbus_gen.load.apis import load
from lightbus_gen.lower.package import lower
from lightbus_gen.read.files import Report


def generate(
    folder: Path,
    package: str,
    *,
    shared: Iterable[str] = (),
    dialects: Mapping[str, str] | None = None,
    overlay: Mapping[str, str] | None = None,
    texts: Mapping[str, bytes] | None = None,
    report: Report | None = None,
    distribution: Distribution | None = None,
) -> dict[str, str]:
    """Generate a package from a schemas folder. Nothing is written.

    Args:
        folder: the schemas folder.
        package: import name of the package.
        shared: globs of files and folders, relative to `folder`, that make no event.
        dialects: the `$schema` to read a file by, by the one it names; "" stands for none.
        overlay: texts that stand in for (or join) files of the folder, by path below it.
        texts: the bytes of all files by path, where they have been read already.
        report: takes notices of what is left out, beside the problems.
        distribution: what others install the package as, if anything.

    Returns:
        The text of each generated file, by path below the output folder, with `/`.

    Raises:
        InputError: the schemas cannot be used; holds every problem of every file.
    """
    report = report or Report()
    with _deep_recursion():
        sources = load(folder, report, shared=shared, dialects=dialects, overlay=overlay, texts=texts)
        return render(*lower(sources, package, report, module_printer(), distribution))


@contextlib.contextmanager
def _deep_recursion() -> Iterator[None]:
    """Let types be some hundred `$ref`s deep in one another: each takes about eight calls."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 5_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
