"""Prints the intermediate representation as text. The templates decide nothing, and every foreign string passes through a filter defined here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lightbus.schema import FORMAT
from lightbus_gen.emit import ir
from lightbus_gen.emit.distribution import BESIDE, mark
from lightbus_gen.emit.text import comment, docstring, literal, literal_lines, markdown

if TYPE_CHECKING:
    import jinja2

_WIDTH = 110


def module_printer() -> Callable[[ir.Module], str]:
    """Return the function that prints a module."""
    template = _environment().get_template("module.py.j2")
    return lambda module: template.render(module=module)


def render(package: ir.Package, modules: Mapping[str, str]) -> dict[str, str]:
    """Print a package.

    Args:
        package: the package.
        modules: the text of each module, by name.

    Returns:
        The text of each file, by path below the output folder, with `/`.
    """
    environment = _environment()
    files = {
        f"{package.name}/__init__.py": environment.get_template("package.py.j2").render(package=package),
        f"{package.name}/py.typed": "",
    }
    files |= {f"{package.name}/{name}.py": text for name, text in modules.items()}
    for name, text in package.documents:
        files[f"{package.name}/schemas/{name}"] = text
    if package.distribution is not None:
        for name in BESIDE:
            files[name] = environment.get_template(f"{name}.j2").render(
                package=package, distribution=package.distribution, mark=mark(package.name)
            )
    return files


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lightbus_gen.emit"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "literal": literal,
        "docstring": docstring,
        "comment": comment,
        "markdown": markdown,
        "call": _call,
        "endpoint": _endpoint,
        "payload": _payload,
        "quoted": _quoted,
    }
    environment.globals["format"] = FORMAT
    return environment


def _call(parameters: Sequence[str], indent: int) -> str:
    """Print the `__call__` of a Protocol, on one line if it fits."""
    line = f"def __call__({', '.join(parameters)}) -> object: ..."
    if indent + len(line) <= _WIDTH:
        return line
    margin = " " * indent
    lines = "".join(f"\n{margin}    {parameter}," for parameter in parameters)
    return f"def __call__({lines}\n{margin}) -> object: ..."


def _payload(event: ir.EventClasses, function: str, indent: int) -> str:
    """Print a call with the dict of an event's parameters, on one line if it fits."""
    pairs = [f"{field.wire}: {field.name}" for field in event.fields]
    pairs += [f"**self._by_wire_name({event.more.name})"] if event.more else []
    line = f"{function}({{{', '.join(pairs)}}})"
    margin = " " * indent
    if indent + len("return ") + len(line) <= _WIDTH:
        return line
    lines = "".join(f"\n{margin}        {pair}," for pair in pairs)
    return f"{function}(\n{margin}    {{{lines}\n{margin}    }}\n{margin})"


def _endpoint(event: ir.EventClasses, indent: int) -> str:
    """Print the assignment of an event's endpoint, on three lines if it is long."""
    function = f"self.{event.name} = {event.class_name}Endpoint"
    arguments = f"bus, _SCHEMA, {literal(event.name)}, {event.class_name}"
    line = f"{function}({arguments})"
    if indent + len(line) <= _WIDTH:
        return line
    margin = " " * indent
    return f"{function}(\n{margin}    {arguments}\n{margin})"


def _quoted(signature: str, handler: str) -> str:
    """Print a handler's Protocol with the signature to write, on several lines if it is long."""
    line = f"{handler}[Literal[{literal(signature)}]]"
    if len("    | ") + len(line) <= _WIDTH:
        return line
    line = f"Literal[{literal(signature)}]"
    if len("        ") + len(line) <= _WIDTH:
        return f"{handler}[\n        {line}\n    ]"
    lines = "".join(f"\n            {each}" for each in literal_lines(signature, _WIDTH - 12))
    return f"{handler}[\n        Literal[{lines}\n        ]\n    ]"
