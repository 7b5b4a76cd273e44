"""`lightbus plan` and `lightbus apply`: what the server lacks of a bus's streams and durables, shown and made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from lightbus.cli.streams.permissions import show_configuration
from lightbus.cli.streams.setup import Setup, collect
from lightbus.cli.terminal.console import log_to_console
from lightbus.cli.terminal.tables import aligned, terminal_width
from lightbus.jetstream.connection.address import GIVEN_IN_CODE
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams.drift import Difference, Way
from lightbus.jetstream.streams.plan import Action, Step, carry_out, compare, connected, needed
from lightbus.jetstream.streams.resources import Durable

DONE, PENDING = 0, 1

_COLUMNS = ("ACTION", "WHAT", "SETTING", "IS", "SHOULD BE")
_COLOURS = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DESTROY: "red", Action.BY_HAND: "red"}


@dataclass(frozen=True, slots=True)
class Target:
    """Which buses a command is about.

    Attributes:
        modules: names of their modules.
        service_name: replaces those in the code, unless None.
        url: the server's address, in place of those in the code.
    """

    modules: tuple[str, ...]
    service_name: str | None
    url: str | None


def show_plan(target: Target, *, as_json: bool) -> int:
    """Print what is to be done; returns the exit code, 1 when that is anything."""
    setups = _setups(target)

    async def look() -> dict[tuple[str, ...], Step]:
        steps = {}
        for setup in setups:
            async with _server(target, setup) as server:
                for step in await _steps(server, setup):
                    steps[_place(setup, step)] = step  # several buses may need the same
        return steps

    steps = asyncio.run(look()).values()
    pending = [step for step in steps if step.action is not Action.NOTHING]
    if as_json:
        for step in pending:
            click.echo(json.dumps(_facts(step), ensure_ascii=False))
    elif pending:
        _print(pending)
        _say(f"\n{_counts(pending)}. {_what_next(target, pending)}")
    if not pending:
        _say(f"nothing to do: the server has all {len(steps)} streams and durables as the code needs them")
    return PENDING if pending else DONE


def apply_plan(target: Target, *, ask: bool, destroying: bool) -> int:
    """Make what is missing and update what differs; returns the exit code, 1 when anything is left."""
    setups = _setups(target)

    async def work() -> int:
        made: set[tuple[str, ...]] = set()
        left = 0
        for setup in setups:
            async with _server(target, setup) as server:
                steps = [one for one in await _steps(server, setup) if one.action is not Action.NOTHING]
                steps = [one for one in steps if _place(setup, one) not in made]
                made.update(_place(setup, one) for one in steps)
                if not steps:
                    continue
                _print(steps)
                if ask and not await asyncio.to_thread(click.confirm, "\nMake these changes?", err=True):
                    _say("nothing was changed")
                    return PENDING
                left += await _carry_out(server, steps, destroying)
        if not made:
            _say("nothing to do")
        return PENDING if left else DONE

    return asyncio.run(work())


def show_permissions(target: Target, fires: Sequence[str]) -> int:
    """Print what the server has to allow the services; returns the exit code.

    Args:
        target: which buses.
        fires: see `show_configuration`.
    """
    show_configuration(_setups(target), fires)
    return DONE


# -- the server --------------------------------------------------------------------------------------


def _setups(target: Target) -> list[Setup]:
    log_to_console(quietly=True)
    return collect(target.modules, target.service_name)


def _server(target: Target, setup: Setup) -> Any:
    given = "--url" if target.url else GIVEN_IN_CODE
    return connected(target.url or setup.settings.url, given=given)


async def _steps(server: Connection, setup: Setup) -> list[Step]:
    return await compare(server, needed(setup.settings.prefix, setup.apis, setup.consumers))


def _place(setup: Setup, step: Step) -> tuple[str, ...]:
    """Say which resource of which server a step is about."""
    return setup.settings.url or "", *_identity(step)


def _identity(step: Step) -> tuple[str, str, str]:
    stream = step.wanted.stream if isinstance(step.wanted, Durable) else ""
    return step.wanted.kind, stream, step.wanted.name


async def _carry_out(server: Connection, steps: list[Step], destroying: bool) -> int:
    """Do what can be done, and say what was and what was not; returns the number of differences left."""
    count = 0
    for step in steps:
        left = await carry_out(server, step, destroying=destroying)
        if step.found is None:
            _say(f"created {step.wanted}")
        elif len(left) < len(step.differences):
            _say(f"updated {step.wanted}")
        for difference in left:
            _say(click.style(f"left: {step.wanted}: {_rest(step, difference)}", fg="red"))
        count += len(left)
    return count


def _rest(step: Step, difference: Difference) -> str:
    """Say how a difference goes away that `apply` leaves alone."""
    change = f"{difference.setting} is {difference.is_}, should be {difference.should_be}"
    if difference.way is Way.DESTROYS:
        return f"{change}. The change removes messages; allow it with: --destroy"
    return f"{change}. The server cannot change that. If nothing needs it, remove it: {step.wanted.removal}"


# -- the terminal ------------------------------------------------------------------------------------


def _print(steps: list[Step]) -> None:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    colours: list[str | None] = []
    for step in steps:
        rows += _rows(step)
        colours += [_COLOURS[step.action]] * (len(rows) - 1 - len(colours))
    if not any(step.differences for step in steps):
        rows = [row[:2] for row in rows]  # nothing to say of single settings
    click.echo("\n".join(aligned(rows, terminal_width(), colours)))
    for text in dict.fromkeys(_notes(steps)):
        click.echo(text)


def _rows(step: Step) -> list[tuple[str, str, str, str, str]]:
    what = f"{step.wanted.kind} {step.wanted.name}"
    if step.found is None:
        return [(Action.CREATE.value, what, "", "", "")]
    return [
        (_verb(difference), what, difference.setting, difference.is_, difference.should_be)
        for difference in step.differences
    ]


def _verb(difference: Difference) -> str:
    verbs = {Way.UPDATE: Action.UPDATE, Way.DESTROYS: Action.DESTROY, Way.BY_HAND: Action.BY_HAND}
    return verbs[difference.way].value


def _notes(steps: list[Step]) -> list[str]:
    """Say below the table what differences do, and what to do about those `apply` leaves alone."""
    notes = []
    for step in steps:
        for difference in step.differences:
            if difference.harm:
                notes.append(f"{step.wanted.name}, {difference.setting}: {difference.harm}")
            if difference.way is not Way.UPDATE:
                notes.append(f"{step.wanted.name}, {_rest(step, difference)}")
    return notes


def _facts(step: Step) -> dict[str, Any]:
    """Return a step for programs."""
    kind, stream, name = _identity(step)
    facts: dict[str, Any] = {"action": step.action.value, "kind": kind, "name": name}
    if stream:
        facts["stream"] = stream
    if step.found is None:
        return facts | {"config": dict(step.wanted.config)}
    return facts | {
        "differences": [
            {
                "setting": difference.setting,
                "is": difference.found,
                "should_be": difference.wanted,
                "way": difference.way.value,
                "harm": difference.harm,
                "is_fatal": difference.is_fatal,
            }
            for difference in step.differences
        ],
        "removal": step.wanted.removal,
    }


def _counts(steps: list[Step]) -> str:
    words = {
        Action.CREATE: "to create",
        Action.UPDATE: "to update",
        Action.DESTROY: "to update that loses messages",
        Action.BY_HAND: "to mend by hand",
    }
    actions = [step.action for step in steps]
    return ", ".join(f"{actions.count(action)} {text}" for action, text in words.items() if action in actions)


def _what_next(target: Target, steps: list[Step]) -> str:
    if all(step.action is Action.BY_HAND for step in steps):
        return ""
    options = "".join(f" --bus {module}" for module in target.modules)
    return f"Apply with: lightbus apply{options}"


def _say(text: str) -> None:
    click.echo(text, err=True)
