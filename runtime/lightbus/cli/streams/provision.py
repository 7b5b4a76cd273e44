"""`lightbus plan` and `lightbus apply`: the changes that give a bus its streams and durables, shown and made."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import click

from lightbus.cli.streams.setup import Setup, collect
from lightbus.cli.terminal.console import log_to_console, print_json, print_message, print_output
from lightbus.cli.terminal.tables import print_table
from lightbus.foreign import escaped
from lightbus.jetstream.connection.address import URL_IN_CODE
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams.drift import Way
from lightbus.jetstream.streams.plan import Action, Step, action_of, carry_out, compare, connected, needed
from lightbus.jetstream.streams.resources import Durable

DONE, PENDING = 0, 1

_COLUMNS = ("ACTION", "WHAT", "SETTING", "IS", "SHOULD BE")
_COLOURS = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DESTROY: "red", Action.BY_HAND: "red"}


@dataclass(frozen=True, slots=True)
class BusModules:
    """The bus modules a command reads, and what it overrides in them.

    Attributes:
        modules: dotted names.
        service_name: replaces the names in the code, unless None.
        url: replaces the servers' addresses in the code, unless None.
    """

    modules: tuple[str, ...]
    service_name: str | None
    url: str | None = field(repr=False)  # it may hold a password

    def setups(self) -> list[Setup]:
        """Return the setup of each bus."""
        log_to_console(quietly=True)
        return collect(self.modules, self.service_name)

    def connected(self, setup: Setup) -> AbstractAsyncContextManager[Connection]:
        """Connect to the server of a bus for a while."""
        origin = "--url" if self.url else URL_IN_CODE
        return connected(self.url or setup.settings.url, origin=origin)


def show_plan(buses: BusModules, *, as_json: bool) -> int:
    """Print the changes to make; returns the exit code, 1 when there are any."""
    setups = buses.setups()

    async def look() -> dict[tuple[str, ...], Step]:
        steps = {}
        for setup in setups:
            async with buses.connected(setup) as server:
                for step in await _steps(server, setup):
                    steps[_key(setup, step)] = step  # several buses may need the same
        return steps

    steps = asyncio.run(look()).values()
    pending = [step for step in steps if step.action is not Action.NOTHING]
    if as_json:
        for step in pending:
            print_json(_facts(step))
    elif pending:
        _print(pending)
        print_message(f"\n{_counts(pending)}. {_hint(buses, pending)}")
    if not pending:
        print_message(
            f"nothing to do: the server has all {len(steps)} streams and durables as the code needs them"
        )
    return PENDING if pending else DONE


def apply_plan(buses: BusModules, *, ask: bool, destroying: bool) -> int:
    """Create what is missing and update what differs; returns the exit code, 1 when anything is left to do."""
    setups = buses.setups()

    async def work() -> int:
        seen: set[tuple[str, ...]] = set()
        left = 0
        for setup in setups:
            async with buses.connected(setup) as server:
                steps = [
                    step
                    for step in await _steps(server, setup)
                    if step.action is not Action.NOTHING and _key(setup, step) not in seen
                ]
                seen.update(_key(setup, step) for step in steps)
                if not steps:
                    continue
                _print(steps)
                if ask and not await asyncio.to_thread(click.confirm, "\nMake these changes?", err=True):
                    print_message("nothing was changed")
                    return PENDING
                left += await _carry_out(server, steps, destroying)
        if not seen:
            print_message("nothing to do")
        return PENDING if left else DONE

    return asyncio.run(work())


# -- the server --------------------------------------------------------------------------------------


async def _steps(server: Connection, setup: Setup) -> list[Step]:
    resources = needed(setup.settings.prefix, setup.apis, setup.consumers, server.version)
    return await compare(server, resources)


def _key(setup: Setup, step: Step) -> tuple[str, ...]:
    """Identify the resource of a step, its server included."""
    return setup.settings.url or "", *_identity(step)


def _identity(step: Step) -> tuple[str, str, str]:
    stream = step.resource.stream if isinstance(step.resource, Durable) else ""
    return step.resource.kind, stream, step.resource.name


async def _carry_out(server: Connection, steps: list[Step], destroying: bool) -> int:
    """Carry out the steps, and report on each; returns the number of differences left."""
    unsolved = []
    for step in steps:
        left = await carry_out(server, step, destroying=destroying)
        if step.current is None:
            print_message(f"created {step.resource}")
        elif len(left) < len(step.differences):
            print_message(f"updated {step.resource}")
        for difference in left:
            change = f"{difference.setting} is {difference.is_}, should be {difference.should_be}"
            print_message(f"{step.resource}: {change}", label="left: ", colour="red")
        unsolved.append(replace(step, differences=left))
    for note in _remedies(unsolved):
        print_message(note)
    return sum(len(step.differences) for step in unsolved)


# -- the output --------------------------------------------------------------------------------------


def _print(steps: list[Step]) -> None:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    colours: list[str | None] = []
    for step in steps:
        rows += _rows(step)
        colours += [_COLOURS[step.action]] * (len(rows) - 1 - len(colours))
    if not any(step.differences for step in steps):
        rows = [row[:2] for row in rows]  # no settings to compare
    print_table(rows, colours)
    harms = [
        f"{step.resource.name}, {difference.setting}: {difference.harm}"
        for step in steps
        for difference in step.differences
        if difference.harm
    ]
    for note in (*harms, *_remedies(steps)):
        print_output(escaped(note))


def _rows(step: Step) -> list[tuple[str, str, str, str, str]]:
    what = f"{step.resource.kind} {step.resource.name}"
    if step.current is None:
        return [(Action.CREATE.value, what, "", "", "")]
    return [
        (action_of(difference).value, what, difference.setting, difference.is_, difference.should_be)
        for difference in step.differences
    ]


def _remedies(steps: list[Step]) -> list[str]:
    """Return lines that say how to remove the differences that `apply` leaves alone."""
    ways = {difference.way for step in steps for difference in step.differences}
    lines = []
    if Way.DESTROYS in ways:
        lines.append("destroy: removes messages; allow it with: lightbus apply --destroy")
    if Way.BY_HAND in ways:
        lines.append("by hand: the server cannot change it. Remove what nothing needs, and apply again:")
        lines += [f"  {step.resource.removal}" for step in steps if step.action is Action.BY_HAND]
    return lines


def _facts(step: Step) -> dict[str, Any]:
    """Return a step for programs."""
    kind, stream, name = _identity(step)
    facts: dict[str, Any] = {"action": step.action.value, "kind": kind, "name": name}
    if stream:
        facts["stream"] = stream
    if step.current is None:
        return facts | {"config": dict(step.resource.config)}
    return facts | {
        "differences": [
            {
                "setting": difference.setting,
                "is": difference.actual,
                "should_be": difference.expected,
                "way": difference.way.value,
                "harm": difference.harm,
                "is_fatal": difference.is_fatal,
            }
            for difference in step.differences
        ],
        "removal": step.resource.removal,
    }


def _counts(steps: list[Step]) -> str:
    words = {
        Action.CREATE: "to create",
        Action.UPDATE: "to update",
        Action.DESTROY: "to update that loses messages",
        Action.BY_HAND: "to fix by hand",
    }
    actions = [step.action for step in steps]
    return ", ".join(f"{actions.count(action)} {text}" for action, text in words.items() if action in actions)


def _hint(buses: BusModules, steps: list[Step]) -> str:
    if all(step.action is Action.BY_HAND for step in steps):
        return ""
    options = "".join(f" --bus {module}" for module in buses.modules)
    return f"Apply with: lightbus apply{options}"
