"""One round of a contender: firing, checked against the stream; listening, until the server has every ack."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.bench.measure import Round, Sample
from tests.bench.processes import Contender, Spec, Unavailable, started
from tests.bench.stage import Message, Place, Stage, order

Kind = Literal["ours", "raw", "peer", "redis"]
LIGHTBUS1 = Path(__file__).parents[2] / ".venv-lightbus1" / "bin" / "python"


@dataclass(frozen=True)
class Entry:
    """One contender of a group.

    Attributes:
        name: in tables and plots.
        kind: what it sends and needs: Lightbus, the raw client, another framework on NATS, or one on Redis.
        module, role: the process to run.
        method: the method that fires; listeners all `start`.
        arguments: of the method.
        share: of the group's count, for a contender too slow for the whole.
    """

    name: str
    kind: Kind
    module: str
    role: str
    method: str = "fire"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0


@dataclass(frozen=True)
class Surroundings:
    """The environment of a round: the stage, the event, and a Redis server if there is one.

    Attributes:
        size: bytes of the event's JSON.
        uvloop: whether contenders run on uvloop.
    """

    stage: Stage
    redis: str | None = None
    size: int = 100
    uvloop: bool = False

    async def spec(self, entry: Entry, prefix: str, *, fires: bool) -> Spec:
        """Return how to start a contender."""
        place = self.stage.place(prefix)
        at: dict[str, Any] = {"url": self.stage.url, "stream": place.stream, "subject": place.subject}
        python = sys.executable
        match entry.kind:
            case "ours":
                settings: dict[str, Any] = {"url": self.stage.url, "prefix": prefix}
            case "raw":
                settings = at | ((await self.stage.sample(self.size)).settings if fires else {})
            case "peer":
                settings = dict(at)
            case "redis":
                if self.redis is None:
                    raise Unavailable("no redis-server on PATH")
                if not LIGHTBUS1.exists():
                    raise Unavailable("Lightbus 1.x needs Python 3.9 or older, and none was found")
                settings, python = {"url": self.redis}, str(LIGHTBUS1)
        if fires and entry.kind != "raw":
            settings["order"] = order(self.size)
        if self.uvloop:
            settings["uvloop"] = True
        return Spec(entry.module, entry.role, settings, python)

    async def sent_by(self, entry: Entry) -> Message:
        """Return the contents of the stream that a contender listens to."""
        if entry.kind == "peer":
            return await foreign(self, entry)
        return await self.stage.sample(self.size)


async def foreign(around: Surroundings, entry: Entry) -> Message:
    """Return what another framework stores for the event, by letting it fire one."""
    prefix = around.stage.fresh("look")
    place = await around.stage.make_stream(prefix)
    spec = await around.spec(Entry(entry.name, "peer", entry.module, "fire"), prefix, fires=True)
    async with started(spec, path=around.stage.path, log=around.stage.log) as contender:
        await contender.call("fire", count=1, width=1)
    message = await around.stage.first(place)
    await around.stage.delete_stream(place)
    return message


@asynccontextmanager
async def firing(around: Surroundings, entry: Entry, count: int) -> AsyncIterator[Round]:
    """Start a contender that fires; a round fires `count` events, and the server must have stored all of them."""
    prefix = around.stage.fresh("fire")
    place = await around.stage.make_stream(prefix)
    spec = await around.spec(entry, prefix, fires=True)
    count = max(1, int(count * entry.share))
    async with started(spec, path=around.stage.path, log=around.stage.log) as contender:

        async def run() -> Sample:
            before = await around.stage.stored(place)
            found = await contender.call(entry.method, count=count, **entry.arguments)
            if "skipped" in found:
                raise Unavailable(found["skipped"])
            stored = await around.stage.stored(place) - before
            if entry.kind != "redis" and stored != count:
                raise RuntimeError(f"{entry.name}: {count} events were acknowledged and {stored} are stored")
            return Sample(count, found["seconds"], found["cpu"])

        yield run
    await around.stage.delete_stream(place)


async def begun(contender: Contender) -> None:
    """Wait until the first event is handled.

    Raises:
        Unavailable: no event is handled in time.
    """
    for _ in range(2_000):
        if (await contender.call("progress"))["handled"]:
            return
        await asyncio.sleep(0.01)
    raise Unavailable(f"{contender.spec.module}: no event was handled")


async def drained(contender: Contender, around: Surroundings, place: Place, durables: list[str]) -> float:
    """Wait until everything is acknowledged; return the time."""
    if durables:
        return await around.stage.settled(place, durables)
    while (await contender.call("left"))["left"]:  # noqa: ASYNC110 - it is in another process
        await asyncio.sleep(0.005)
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def listening(
    around: Surroundings, entry: Entry, count: int, place: Place | None = None
) -> AsyncIterator[Round]:
    """Start a contender that listens; in a round, a new durable reads a stream of `count` events.

    The clock runs from the start of the first handler until the server has every acknowledgement.
    """
    count = max(1, int(count * entry.share))
    own = place is None
    if place is None:
        prefix = around.stage.fresh("listen")
        place = await around.stage.make_stream(prefix)
        if entry.kind == "redis":
            filler = Entry(entry.name, "redis", entry.module, "fire", arguments={"width": 256})
            async with firing(around, filler, count) as fill:
                await fill()
        else:
            await around.stage.fill(place, await around.sent_by(entry), count)
    prefix = place.subject.partition(".")[0]
    spec = await around.spec(entry, prefix, fires=False)
    async with started(spec, path=around.stage.path, log=around.stage.log) as contender:

        async def run() -> Sample:
            made = await contender.call("start", name=around.stage.fresh("r"), **entry.arguments)
            durables = made.get("durables", [])
            await begun(contender)
            ended = await drained(contender, around, place, durables)
            found = await contender.call("progress")
            await contender.call("stop")
            if found["handled"] < count:
                raise RuntimeError(f"{entry.name}: {found['handled']} of {count} events were handled")
            await around.stage.delete_durables(place, durables)
            return Sample(count, ended - found["began"], found["cpu"])

        yield run
    if own:
        await around.stage.delete_stream(place)


Session = Callable[[Surroundings, Entry, int], Any]


async def available(
    session: Session, around: Surroundings, entries: tuple[Entry, ...], count: int, stack: AsyncExitStack
) -> tuple[dict[str, Round], dict[str, str]]:
    """Start the contenders that can take part, and run each once to warm up.

    Returns:
        Their rounds, and why the others cannot take part.
    """
    rounds: dict[str, Round] = {}
    skipped: dict[str, str] = {}
    for entry in entries:
        try:
            run = await stack.enter_async_context(session(around, entry, count))
            await run()
            rounds[entry.name] = run
        except Unavailable as reason:
            skipped[entry.name] = str(reason).partition("\n")[0]
    return rounds, skipped
