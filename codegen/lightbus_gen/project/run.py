"""One run in a project: from its settings to the changes in its folders."""

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
from lightbus_gen.read.folder import read_folder, real
from lightbus_gen.read.input_problems import InputError, InputProblem, input_error
from lightbus_gen.write.apply import apply, exclusive
from lightbus_gen.write.plan import Plan, plan


def run(
    work: Callable[[ProjectSettings, Report], Plan], flags: Mapping[str, Any], *, check: bool = False
) -> RunOutcome:
    """Run a command.

    Args:
        work: plans the changes, and reports what it leaves out.
        flags: settings that override those of pyproject.toml, by name; None and () override nothing.
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
        problems = planned.refusals  # a check reports the drift of all other files as well
    except InputError as error:
        planned, problems = Plan(), error.problems
    return RunOutcome(problems, sorted(report.notices), planned, check, time.perf_counter() - began)


def effective_settings(flags: Mapping[str, Any]) -> ProjectSettings:
    """Return the settings of the working folder's project, overridden by flags that are not None or ().

    Raises:
        InputError: pyproject.toml cannot be used.
    """
    overrides = {name: value for name, value in flags.items() if value not in (None, ())}
    return replace(read_settings(Path.cwd()), **overrides)


def plan_schemas(settings: ProjectSettings, report: Report, modules: Sequence[str]) -> Plan:
    """Plan the changes to the schema documents of some modules' Api classes."""
    from lightbus_gen.export import export

    return plan(settings.schemas, export(modules, settings.root, settings.package), root=settings.root)


def plan_project(
    settings: ProjectSettings, report: Report, only: Sequence[str] = (), is_check: bool = False
) -> Plan:
    """Plan all changes of a bare `lightbus-gen`.

    Args:
        settings: the settings.
        report: collects notices of what is left out.
        only: the APIs whose files to plan; all if empty.
        is_check: whether nothing may be written.

    Raises:
        InputError: the settings, the Api classes or the schemas cannot be used.
    """
    from lightbus_gen.export import export

    package = settings.checked_package()
    if real(settings.out / package).is_relative_to(real(settings.schemas)):
        message = (
            f"the package would be in the schemas folder, {settings.schemas}, and its files read as schemas"
        )
        raise input_error("INVALID_CONFIG", message, "choose another out folder")
    distribution = checked_distribution(settings.distribution, settings.version)
    documents = export(settings.apis, settings.root, package) if settings.apis else {}
    files = _generate(settings, documents, distribution, report, is_check)
    beside = {name: files.pop(name, None) for name in BESIDE}
    if settings.distribution and distribution is None:
        message = f"the distribution {settings.distribution!r} has no version: its {' and '.join(BESIDE)} are left as they are"
        notice = InputProblem(
            "", 0, 0, "NO_VERSION", message, "to write them, add --version, such as --version 1.4.0"
        )
        report.notices.append(notice)
        beside = {}
    if only:
        documents = {name: text for name, text in documents.items() if name.removesuffix(".json") in only}
        files = _restrict(files, settings, only)
    return (
        plan(settings.schemas, documents, root=settings.root)
        + plan(
            settings.out,
            files,
            within=package,
            root=settings.root,
            remove_stale=not only,
            stubs=settings.stubs,
        )
        + plan(settings.out, beside, root=settings.root, mark=mark(package))
    )


def _generate(
    settings: ProjectSettings,
    documents: Mapping[str, str],
    distribution: Distribution | None,
    report: Report,
    is_check: bool,
) -> dict[str, str]:
    """Generate the package, or recall it from the cache; a check generates always."""
    texts = read_folder(settings.schemas, report)
    texts |= {path: text.encode() for path, text in documents.items()}
    key = "" if is_check else memo.fingerprint(settings, texts)
    if key and not report.problems and (kept := memo.recall(settings, key)):
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
    if key and not report.notices:  # notices are reported every time
        memo.keep(settings, key, files)
    return files


def _restrict(files: Mapping[str, str], settings: ProjectSettings, only: Sequence[str]) -> dict[str, str]:
    """Return the files of some APIs, those of the package as a whole, and those that do not exist yet."""
    package = settings.package
    start = f"{package}/schemas/"
    apis = [name[len(start) : -len(".json")] for name in files if name.startswith(start)]
    for api in only:
        if api not in apis:
            fix = f"name one of: {', '.join(apis)}"
            raise input_error("NO_API", f"there is no API {api!r}{did_you_mean(api, apis)}", fix)
    kept = {f"{package}/__init__.py", f"{package}/py.typed"}
    kept |= {f"{package}/{tree.module_name(api)}.py" for api in only} | {f"{start}{api}.json" for api in only}
    return {name: files[name] for name in files if name in kept or not (settings.out / name).exists()}
