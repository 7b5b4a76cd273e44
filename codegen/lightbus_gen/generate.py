"""The whole generator as one function from schemas to text."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lightbus_gen.emit.distribution import Distribution
from lightbus_gen.emit.render import module_printer, render
from lightbus_gen.load.apis import load
from lightbus_gen.load.bundle import Bundler
from lightbus_gen.load.soundness import without_faulty
from lightbus_gen.load.sources import LoadedApi
from lightbus_gen.lower.package import check_names, lower_module, lower_package, summaries
from lightbus_gen.processes import spread
from lightbus_gen.read.decode import read_files
from lightbus_gen.read.files import Report
from lightbus_gen.read.folder import read_folder
from lightbus_gen.read.input_problems import InputProblem


def generate(
    folder: Path,
    package: str,
    *,
    shared: Iterable[str] = (),
    dialects: Mapping[str, str] | None = None,
    texts: Mapping[str, bytes] | None = None,
    report: Report | None = None,
    distribution: Distribution | None = None,
) -> dict[str, str]:
    """Generate a package from a schemas folder. Nothing is written.

    Args:
        folder: the schemas folder.
        package: import name of the package.
        shared: globs of files and folders, relative to `folder`, that make no event.
        dialects: the `$schema` to read a file by, by the one it names; "" for a file that names none.
        texts: the bytes of all files by path below the folder; read from the folder if None.
        report: collects problems, and notices of what is left out.
        distribution: the package as an installable distribution, if it is one.

    Returns:
        The text of each generated file, by path below the output folder, with `/`.

    Raises:
        InputError: the schemas cannot be used; holds every problem of every file.
    """
    report = report or Report()
    with _deep_recursion():
        texts = read_folder(folder, report) if texts is None else texts
        files = read_files(folder, texts, report)
        sources = load(folder, files, report, shared=shared, dialects=dialects)
        check_names(sources, report)
        sources = without_faulty(sources, report)
        about, library, bundler = summaries(sources), sources.library, Bundler(sources.library)
        print_module = module_printer()

        def generated(api: LoadedApi) -> tuple[str, tuple[str, str], list[InputProblem]]:
            problems, document = Report(), bundler.document(api)
            module = lower_module(api, document, about, library, problems)
            return document[1], (module.name, print_module(module)), problems.problems

        results = spread(generated, sources.apis, lambda api: len(api.events))
        report.problems += [problem for *_, problems in results for problem in problems]
        report.check()
        documents = {api.name: text for api, (text, _, _) in zip(sources.apis, results, strict=True)}
        modules = dict(module for _, module, _ in results)
        return render(lower_package(package, sources, documents, distribution), modules)


@contextlib.contextmanager
def _deep_recursion() -> Iterator[None]:
    """Let types be nested some hundred `$ref`s deep: each takes about eight calls."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 5_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
