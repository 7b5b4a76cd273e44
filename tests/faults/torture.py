"""Producers and workers under random faults and hostile messages, and an audit: `make torture SECONDS=600 SEED=7`.

The seed decides which faults happen when, and what the events order their handlers to do.
"""

from __future__ import annotations

import asyncio
import logging
import operator
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import lightbus
from lightbus import PublishFailed, PublishUnknown, naming
from lightbus.errors import TransportError
from lightbus.jetstream.acknowledgements import Acknowledgements
from lightbus.jetstream.stored import direct_get
from lightbus.naming import DEFAULT_PREFIX
from lightbus.testing import NatsServer
from tests.cli.kit import Command
from tests.conformance.kits import look_into
from tests.faults.audit import Audit, Fired, Pause, audit, slowest_turn
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.servers import pause, resume
from tests.faults.state import dead_letters, durable_of, until_settled
from tests.faults.workers import Workers
from tests.hostile import GOOD, FormulaApi, Hostile, event, formula, malformed

LISTENERS: dict[str, dict[str, Any]] = {
    "many": {"concurrency": 8},
    "threads": {"concurrency": 4, "sync": True},
    "single": {"concurrency": 1},
    **{name: {"event": f"formula.{name}", "concurrency": 2} for name in GOOD},
}
OPTIONS = {"ack_wait": 2.0, "retries": 3, "backoff": {"first": 0.1, "limit": 1.0}}
CREW = 3  # worker processes; the last one bypasses the proxy
PRODUCERS = 3  # the last one bypasses the proxy, too
RATE = 20.0  # events per second of each
FORMULAS = 0.2  # part of them that belongs to `FormulaApi`
HOSTILE_RATE = 20.0  # hostile messages per second
SLOWEST = 1.0  # seconds within which every listener of every process must answer
TIMEOUT = 2.0  # seconds a fire may take; some end without an answer
SETTLING = 180.0  # seconds the end may take, retries included
FAULTS = {  # with their weights
    "server killed": 3,
    "server paused": 2,
    "worker killed": 4,
    "worker stopped": 2,
    "worker paused": 3,
    "wire cut": 4,
    "wire blocked": 2,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        kind: one of `FAULTS`.
        at: seconds from the start. lasts: seconds until it is over.
        worker: the affected worker, if any.
    """

    kind: str
    at: float
    lasts: float
    worker: int


def plan(seed: int, seconds: float) -> list[Fault]:
    """Draw the faults of a run, one after another."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    now = 2.0
    while now < seconds:
        (kind,) = chance.choices(list(FAULTS), list(FAULTS.values()))
        fault = Fault(kind, now, chance.uniform(0.1, 3.0), chance.randrange(CREW))
        faults.append(fault)
        now += fault.lasts + chance.uniform(0.1, 2.0)
    return faults


def order(chance: random.Random) -> str:
    """Draw an order for the handlers of an event."""
    drawn = chance.random()
    if drawn < 0.0005:
        return "die"
    if drawn < 0.01:
        return "raise"
    if drawn < 0.04:
        return f"raise:{chance.randint(1, 3)}"
    if drawn < 0.10:
        return f"slow:{chance.uniform(0.05, 0.5):.2f}"
    return "work"


class Crew:
    """Worker processes, restarted whenever one ends."""

    def __init__(self, start: Callable[[int], Command]) -> None:
        self._start = start
        self._crew = [start(number) for number in range(CREW)]
        self.restarts = 0

    def signal(self, worker: int, number: signal.Signals) -> int:
        """Send one of them a signal, and return its pid."""
        self._crew[worker].signal(number)
        return self._crew[worker].pid

    async def keep(self) -> None:
        """Restart workers that end."""
        while True:
            await asyncio.sleep(0.1)
            for number, worker in enumerate(self._crew):
                if worker.has_ended:
                    self._crew[number] = self._start(number)
                    self.restarts += 1

    async def stop(self) -> list[int]:
        """Ask all to stop, and return their exit codes."""
        for worker in self._crew:
            worker.signal(signal.SIGTERM)
        return [await asyncio.to_thread(worker.end) for worker in self._crew]


class Torture:
    """One run.

    Args:
        folder: an empty one for the ledger.
        seed: decides what happens. seconds: how long faults are caused.
        progress: called with the elapsed seconds and the current phase.
    """

    def __init__(
        self, folder: Path, seed: int, seconds: float, progress: Callable[[float, str], None]
    ) -> None:
        self._seed, self._seconds, self._progress = seed, seconds, progress
        self._ledger = Ledger(folder / "ledger")
        self._folder = folder
        self._fired: dict[str, Fired] = defaultdict(Fired)  # by subject
        self._over = asyncio.Event()
        self._pauses: list[Pause] = []
        self.faults: Counter[str] = Counter()
        self.hostile = 0  # messages that the server stored

    @property
    def slowest(self) -> float:
        """The longest time in seconds that the listeners of a running worker did not answer."""
        return slowest_turn(self._ledger.gaps, self._pauses)

    async def run(self) -> Audit:
        """Execute the run and return its outcome."""
        with ExitStack() as stack:
            server = stack.enter_context(NatsServer())
            proxy = stack.enter_context(Proxy(int(server.url.rpartition(":")[2])))
            workers = Workers(server.url, self._ledger, self._folder)
            stack.callback(workers.clean_up)
            listeners: dict[str, Any] = {name: {**OPTIONS, **options} for name, options in LISTENERS.items()}
            crew = Crew(
                lambda number: workers.start(url="" if number == CREW - 1 else proxy.url, **listeners)
            )
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(crew.keep())
                producing = [
                    group.create_task(
                        self._produce(number, server.url if number == PRODUCERS - 1 else proxy.url)
                    )
                    for number in range(PRODUCERS)
                ]
                producing.append(group.create_task(self._attack(server.url)))
                await self._torment(server, proxy, crew)
                self._over.set()
                self._progress(self._seconds, "settling")
                await asyncio.wait(producing)  # a fire may still be stored until it has its outcome
                for api in (JobApi, FormulaApi):
                    stream = naming.stream(DEFAULT_PREFIX, api.api_name)
                    names = [name for name, options in LISTENERS.items() if _stream_of(options) == stream]
                    await until_settled(server.url, *names, stream=stream, bound=SETTLING)
                keeping.cancel()
            assert await crew.stop() == [0] * CREW
            self.faults["worker started again"] = crew.restarts
            return await self._audit(server.url)

    async def _produce(self, producer: int, url: str) -> None:
        chance = random.Random(f"{self._seed}/{producer}")
        number = producer
        async with (
            lightbus.create(
                url=url, service_name="producer", apis=[JobApi, FormulaApi], timeout=TIMEOUT
            ) as bus,
            asyncio.TaskGroup() as group,
        ):
            while not self._over.is_set():
                if chance.random() < FORMULAS:
                    name = chance.choice([*GOOD])
                    endpoint, arguments = getattr(bus.formula, name), GOOD[name]
                else:
                    name, endpoint, arguments = "", bus.job.wanted, {"order": order(chance)}
                fired = self._fired[_subject_of(LISTENERS.get(name, {}))]
                group.create_task(self._fire(endpoint, fired, number=number, **arguments))
                number += PRODUCERS
                await asyncio.sleep(chance.expovariate(RATE))

    async def _fire(self, endpoint: Any, fired: Fired, **arguments: Any) -> None:
        try:
            event = await endpoint.fire_async(**arguments)
        except PublishUnknown as error:
            fired.unknown.add(error.event_id)
        except PublishFailed as error:
            fired.refused.add(error.event_id)
        except TransportError:  # it was never connected
            fired.refused.add(f"number {arguments['number']}")
        else:
            fired.acknowledged.add(event.id)

    async def _torment(self, server: NatsServer, proxy: Proxy, crew: Crew) -> None:
        start = time.monotonic()
        for fault in plan(self._seed, self._seconds):
            await asyncio.sleep(start + fault.at - time.monotonic())
            self._progress(fault.at, fault.kind)
            self.faults[fault.kind] += 1
            await self._suffer(fault, server, proxy, crew)
        await asyncio.sleep(start + self._seconds - time.monotonic())

    async def _suffer(self, fault: Fault, server: NatsServer, proxy: Proxy, crew: Crew) -> None:
        match fault.kind:
            case "server killed":
                server.kill()
                await asyncio.sleep(fault.lasts)
                await asyncio.to_thread(server.start)
            case "server paused":
                pause(server)
                await asyncio.sleep(fault.lasts)
                resume(server)
            case "worker killed":
                crew.signal(fault.worker, signal.SIGKILL)
            case "worker stopped":
                crew.signal(fault.worker, signal.SIGTERM)
            case "worker paused":
                begin = time.monotonic()
                pid = crew.signal(fault.worker, signal.SIGSTOP)
                await asyncio.sleep(fault.lasts)
                crew.signal(fault.worker, signal.SIGCONT)
                self._pauses.append(Pause(pid, begin, time.monotonic()))
            case "wire cut":
                proxy.cut()
            case "wire blocked":
                proxy.block()
                await asyncio.sleep(fault.lasts)
                proxy.unblock()

    async def _attack(self, url: str) -> None:
        """Publish hostile messages to every subject, past the library."""
        chance = random.Random(f"{self._seed}/hostile")
        while not self._over.is_set():
            try:
                async with look_into(url) as server:
                    acknowledgements = Acknowledgements(server)
                    await acknowledgements.start()
                    while not self._over.is_set():
                        subject, message = hostile(chance)
                        deadline = asyncio.get_running_loop().time() + TIMEOUT
                        stream = naming.stream(DEFAULT_PREFIX, subject.split(".")[1])
                        answer = await acknowledgements.send(
                            subject, message.header, message.body, deadline, stream
                        )
                        self.hostile += answer is not None and answer.error is None
                        await asyncio.sleep(chance.expovariate(HOSTILE_RATE))
            except TransportError:  # the server is away
                await asyncio.sleep(0.1)

    async def _audit(self, url: str) -> Audit:
        stored: dict[str, Counter[str]] = defaultdict(Counter)  # how often each event is, by subject
        places: dict[tuple[str, int], str] = {}
        async with look_into(url) as server:
            for api in (JobApi, FormulaApi):
                stream = naming.stream(DEFAULT_PREFIX, api.api_name)
                state = (await server.api(f"STREAM.INFO.{stream}"))["state"]
                subjects = naming.stream_subjects(DEFAULT_PREFIX, api.api_name)
                async for message in direct_get.messages(
                    server, stream, subjects, state["first_seq"], state["last_seq"]
                ):
                    key = message.headers.get("Nats-Msg-Id", f"{stream} {message.sequence}")
                    stored[message.subject][key] += 1
                    places[stream, message.sequence] = key
        handled: dict[str, Counter[str]] = {name: Counter() for name in LISTENERS}
        for entry in self._ledger.entries:
            if entry.kind == "end":
                handled[entry.listener][entry.id] += 1
        dead: dict[str, set[str]] = {name: set() for name in LISTENERS}
        listener_of = {durable_of(name): name for name in LISTENERS}
        for dead_letter in await dead_letters(url):
            place = dead_letter.place
            if dead_letter.failure.reason and (place.stream, place.sequence) in places:
                dead[listener_of[place.listener]].add(places[place.stream, place.sequence])
        outcomes = []
        for subject in {_subject_of(options): None for options in LISTENERS.values()}:
            names = [name for name, options in LISTENERS.items() if _subject_of(options) == subject]
            handled_here, dead_here = {n: handled[n] for n in names}, {n: dead[n] for n in names}
            outcomes.append(audit(self._fired[subject], stored[subject], handled_here, dead_here))
        return reduce(operator.add, outcomes)


def hostile(chance: random.Random) -> tuple[str, Hostile]:
    """Draw a hostile message and a subject for it."""
    api, name = chance.choice([("job", "wanted"), ("job", "followed"), *(("formula", name) for name in GOOD)])
    event_id = f"hostile-{chance.randrange(10**12)}"
    if api == "formula" and chance.random() < 0.8:
        message = formula(chance, name, -1, id=event_id)
    else:
        message = malformed(chance, event({"number": -1}, type=f"{api}.{name}", id=event_id))
    if message.fits:
        message = replace(message, header=b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % event_id.encode())
    return naming.subject(DEFAULT_PREFIX, api, name), message


def _subject_of(options: Mapping[str, Any]) -> str:
    api, _, event = options.get("event", "job.wanted").partition(".")
    return naming.subject(DEFAULT_PREFIX, api, event)


def _stream_of(options: Mapping[str, Any]) -> str:
    return naming.stream(DEFAULT_PREFIX, options.get("event", "job.wanted").partition(".")[0])


def show(console: Console, torture: Torture, outcome: Audit, seed: int, seconds: float) -> None:
    """Print the outcome as tables."""
    fired = outcome.fired
    counts = {
        "fired": len(fired.acknowledged) + len(fired.unknown) + len(fired.refused),
        "acknowledged": len(fired.acknowledged),
        "unknown": len(fired.unknown),
        "refused": len(fired.refused),
        "stored": outcome.stored,
        "stored twice": outcome.stored_twice,
        "hostile": torture.hostile,
    }
    events = Table(*counts, title=f"Torture of {seconds:g} s, seed {seed}", title_justify="left")
    events.add_row(*(f"{count:,}" for count in counts.values()))
    listeners = Table("listener", "handled", "duplicated", "dead-lettered", "lost")
    for name, account in outcome.accounts.items():
        numbers = (account.handled, account.duplicated, account.dead, len(account.lost))
        listeners.add_row(name, *(f"{number:,}" for number in numbers))
    happened = Table("fault", "times")
    for kind, times in sorted(torture.faults.items()):
        happened.add_row(kind, f"{times:,}")
    for table in (events, happened, listeners):
        console.print(table)
    for name, account in outcome.accounts.items():
        for event_id in sorted(account.lost):
            console.print(f"lost by {name}: {event_id}")
    console.print(
        f"slowest turn of a worker: {torture.slowest:.2f} s, without pauses and waits for a core; at most {SLOWEST:g} s"
    )


@contextmanager
def bar(seconds: float) -> Iterator[Callable[[float, str], None]]:
    """Show progress on a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("starting", total=seconds)
        yield lambda done, what: progress.update(task, completed=done, description=what)


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long faults go on.")
@click.option("--seed", type=int, help="Of an earlier run, to have the same faults again.")
def main(seconds: float, seed: int | None) -> None:
    """Torture the bus, and exit with 1 when an event was lost or a listener did not answer for a second."""
    logging.getLogger("lightbus").addHandler(logging.NullHandler())  # its warnings are expected
    chosen = random.randrange(1_000_000) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="lightbus-torture-") as folder, bar(seconds) as progress:
        torture = Torture(Path(folder), chosen, seconds, progress)
        outcome = asyncio.run(torture.run())
        show(Console(), torture, outcome, chosen, seconds)
        sys.exit(1 if outcome.lost or torture.slowest > SLOWEST else 0)


if __name__ == "__main__":
    main()
