"""Hints for users of Lightbus 1.x: its commands and options, and what to use instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from lightbus.foreign import excerpt

_COMMANDS = {
    "dumpconfigschema": "There is no config file: settings are arguments of lightbus.create().",
    "dumpschema": "Schemas are written with: lightbus-gen export my_service.bus:MyApi",
    "shell": "Start Python with your bus: python -i -c 'from my_service.bus import bus'",
    "version": "Ask for it with: lightbus --version",
}
_OPTIONS = {
    "--config": "There is no config file: settings are arguments of lightbus.create().",
    "--log-level": "Set the level in your code: logging.getLogger('lightbus').setLevel(...)",
    "--only": "There are events only, no RPCs to choose from.",
    "--process-name": "Processes need no names; those of one service name share the work.",
    "--schema": "Schemas are part of the code: generate a Bus with lightbus-gen.",
    "--skip": "There are events only, no RPCs to choose from.",
}


class Group(click.Group):
    """A command group that explains the commands and options of Lightbus 1.x. Its errors show no logins."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments; see `click.Group`."""
        with _without_logins():
            return super().make_context(*args, **extra)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find a command; see `click.Group`."""
        if (name := args[0]) in _COMMANDS:
            ctx.fail(f"Lightbus 1.x had the command {name!r}. {_COMMANDS[name]}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; see `click.Group`."""
        with _without_logins():
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                name = error.option_name
                if (hint := _OPTIONS.get(name)) is None:
                    raise
                raise click.UsageError(f"Lightbus 1.x had the option {name!r}. {hint}", error.ctx) from None


@contextmanager
def _without_logins() -> Iterator[None]:
    """Leave logins out of errors, which quote arguments."""
    try:
        yield
    except click.UsageError as error:
        text = error.format_message()
        if (shown := excerpt(text)) == text:
            raise
        raise click.UsageError(shown, error.ctx) from None
