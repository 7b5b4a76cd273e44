"""Contenders as child processes, and remote calls to them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_LONGEST_CALL = 300.0  # seconds
_LONGEST_LINE = 1 << 26  # bytes, for lists of a million times


class Unavailable(Exception):
    """A contender cannot take part; the message says why."""


@dataclass(frozen=True)
class Spec:
    """The role of a contender to start.

    Attributes:
        module: below `tests.bench.contenders`.
        role: name of the role.
        settings: arguments of the role.
        python: the interpreter, for a peer that needs its own environment.
    """

    module: str
    role: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable


class Contender:
    """A running contender."""

    def __init__(self, process: asyncio.subprocess.Process, spec: Spec) -> None:
        self._process, self.spec = process, spec
        self.pid = process.pid

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the role and return its answer.

        Raises:
            Unavailable: the call failed, or there was no answer in time.
        """
        return await self._exchange({"call": method, "with": arguments})

    async def ready(self) -> None:
        """Send the settings and wait until the role is created.

        Raises:
            Unavailable: the role cannot be created.
        """
        await self._exchange(dict(self.spec.settings))

    async def _exchange(self, line: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _LONGEST_CALL)
        except TimeoutError:
            raise Unavailable(f"no answer within {_LONGEST_CALL:g} s") from None
        answer = json.loads(line or b'{"error": "it ended", "trace": ""}')
        if "error" in answer:
            raise Unavailable(f"{self.spec.module}: {answer['error']}\n{answer['trace']}")
        found: dict[str, Any] = answer["answer"]
        return found

    async def end(self) -> None:
        """Let the contender close itself, or else kill it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def started(spec: Spec, *, path: Path, log: Path) -> AsyncIterator[Contender]:
    """Run a contender for the duration of the block.

    Args:
        spec: the contender to run.
        path: folder of the generated package, for its `PYTHONPATH`.
        log: file for its stderr.

    Raises:
        Unavailable: the contender cannot be started.
    """
    with log.open("ab") as errors:
        try:
            process = await asyncio.create_subprocess_exec(
                *(spec.python, "-m", f"tests.bench.contenders.{spec.module}", spec.role),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                cwd=_ROOT,
                env={"PYTHONPATH": str(path), "PATH": "", "PYTHONHASHSEED": "0"},
                limit=_LONGEST_LINE,
            )
        except OSError as error:
            raise Unavailable(f"{spec.python}: {error.strerror}") from None
    contender = Contender(process, spec)
    try:
        await contender.ready()
        yield contender
    finally:
        await contender.end()
