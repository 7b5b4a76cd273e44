"""One run in a project: from its settings to what changed in its folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightbus.errors import did_you_mean
from lightbus_gen.emit.distribution import BESIDE, Distribution, checked_distribution, mark
from lightbus_gen.load.dialects import parse_dialects
from lightbus_gen.lower import namespaces as tree
from lightbus_gen.project import memo
from lightbus_gen.project.report import RunOutcome
from lightbus_gen.project.settings import ProjectSettings, read_settings
from lightbus_gen.read.files import Report
from lightbus_gen.read.folder import read_folder
from lightbus_gen.read.input_problems import InputError, InputProblem, input_error
from lightbus_gen.write.apply import apply, exclusive
from lightbus_gen.write.plan import Plan, plan


def run(
    work: Callable[[ProjectSettings, Report], Plan], flags: Mapping[str, Any], *, check: bool = False
) -> RunOutcome:
    """Do the work of a command.

    Args:
        work: finds out what would change, and reports what it leaves out.
        flags: settings that count over those of pyproject.toml, by name.
        check: whether to write nothing.
    """
    began = time.perf_counter()
    planned, problems, report = Plan(), tuple[InputProblem, ...](), Report()
    try:
        settings = effective_settings(flags)
        with exclusive(settings.root):
            planned = work(settings, report)
            if not check:
                apply(planned)
        problems = planned.refusals  # with the drift of all other files
    except InputError as error:
        planned, problems = Plan(), error.problems
    return RunOutcome(problems, sorted(report.notices), planned, check, time.perf_counter() - began)


def effective_settings(flags: Mapping[str, Any]) -> ProjectSettings:
    """Read the settings of the working folder's project, and put flags over them.

    Raises:
        InputError: pyproject.toml cannot be used.
    """
    return replace(read_settings(Path.cwd()), **flags)


def plan_schemas(settings: ProjectSettings, report: Report, modules: Sequence[str]) -> Plan:
    """Work out what the documents of some modules' Api classes would change."""
    from lightbus_gen.export import export

    return plan(settings.schemas, export(modules, settings.root))


def plan_project(
    settings: ProjectSettings, report: Report, only: Sequence[str] = (), is_check: bool = False
) -> Plan:
    """Work out everything a bare `lightbus-gen` would change.

    Args:
        settings: the settings.
        report: takes notices of what is left out.
        only: APIs whose files are looked at; all of them where it is empty.
        is_check: whether nothing is to be written.

    Raises:
        InputError: the settings, the Api classes or the schemas cannot be used.
    """
    from lightbus_gen.export import export

    package = settings.checked_package()
    if (settings.out / package).resolve().is_relative_to(settings.schemas.resolve()):
        message = (
            f"the package would be in the schemas folder, {settings.schemas}, and its files read as schemas"
        )
        raise input_error("INVALID_CONFIG", message, "choose another out folder")
    distribution = checked_distribution(settings.distribution, settings.version)
    documents = export(settings.apis, settings.root) if settings.apis else {}
    files = _generate(settings, documents, distribution, report, is_check)
    beside = {name: files.pop(name, None) for name in BESIDE}
    if only:
        documents = {name: text for name, text in documents.items() if name.removesuffix(".json") in only}
        files = _restrict(files, settings, only)
    return (
        plan(settings.schemas, documents)
        + plan(settings.out, files, within=package, remove_stale=not only)
        + plan(settings.out, beside, mark=mark(package))
    )


def _generate(
    settings: ProjectSettings,
    documents: Mapping[str, str],
    distribution: Distribution | None,
    report: Report,
    is_check: bool,
) -> dict[str, str]:
    """Generate the package, or recall the text where it was made of the same before."""
    texts = read_folder(settings.schemas, report)
    texts |= {path: text.encode() for path, text in documents.items()}
    key = memo.fingerprint(settings, texts)
    if not report.problems and (kept := memo.recall(settings, key)):
        return kept
    from lightbus_gen.generate import generate

    files = generate(
        settings.schemas,
        settings.package,
        shared=settings.shared,
        dialects=parse_dialects(settings.dialects),
        texts=texts,
        report=report,
        distribution=distribution,
    )
    if not is_check and not report.notices:  # a check writes nothing, and notices are told each time
        memo.keep(settings, key, files)
    return files


def _restrict(files: Mapping[str, str], settings: ProjectSettings, only: Sequence[str]) -> dict[str, str]:
    """Keep the files of some APIs, those of the package as a whole, and what was never generated."""
    package = settings.package
    start = f"{package}/schemas/"
    known = [name[len(start) : -len(".json")] for name in files if name.startswith(start)]
    for api in only:
        if api not in known:
            fix = f"name one of: {', '.join(known)}"
            raise input_error("NO_API", f"there is no API {api!r}{did_you_mean(api, known)}", fix)
    kept = {f"{package}/__init__.py", f"{package}/py.typed"}
    kept |= {f"{package}/{tree.module_name(api)}.py" for api in only} | {f"{start}{api}.json" for api in only}
    return {name: files[name] for name in files if name in kept or not (settings.out / name).exists()}
