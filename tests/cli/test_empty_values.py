"""No selector may be empty, as the value of an unset variable is: it would select anything. Nor bytes that are no text."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from lightbus.cli import app


def text_parameters(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """List every parameter of a command and its subcommands that takes free text: path and option, "" an argument."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from text_parameters(child, *path, name)
        return
    for parameter in command.params:
        is_flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
        if is_flag or isinstance(parameter.type, (click.Choice, click.IntRange)):
            continue
        yield path, parameter.opts[0] if isinstance(parameter, click.Option) else ""


PARAMETERS = [*text_parameters(app)]


def test_the_sweep_sees_every_kind_of_selector() -> None:
    assert {
        (("dead-letters", "discard"), "--id"),
        (("dead-letters", "replay"), "--listener"),
        (("dead-letters", "list"), ""),
        (("inspect",), ""),
        (("status",), "--url"),
    } <= set(PARAMETERS)


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize(("path", "option"), PARAMETERS)
def test_an_empty_value_is_refused(path: tuple[str, ...], option: str, empty: str) -> None:
    done = CliRunner().invoke(app, [*path, *([option] if option else []), empty])
    assert done.exit_code == 2, done.output
    assert "Invalid value for" in done.output
    expected = ("it is empty; give a value, or leave it out", "is not a valid prefix", "is not a time")
    assert any(text in done.output for text in expected), done.output


@pytest.mark.parametrize(("path", "option"), PARAMETERS)
def test_a_value_that_is_not_utf_8_is_refused(path: tuple[str, ...], option: str) -> None:
    done = CliRunner().invoke(app, [*path, *([option] if option else []), os.fsdecode(b"\xe9")])
    assert done.exit_code == 2, done.output
    expected = ("it is not UTF-8", "is not a valid prefix", "is not a time")
    assert any(text in done.output for text in expected), done.output
