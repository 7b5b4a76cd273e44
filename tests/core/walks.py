"""Records an event's walk through the library: the functions called, and the modules on the way to each."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import lightbus

LIBRARY = Path(lightbus.__file__).parent


@dataclass(frozen=True)
class Call:
    """One call of a function of the library or the generated package.

    Attributes:
        function: its qualified name.
        stack: the modules on the stack, outermost first, each once; the last one is the function's own.
    """

    function: str
    stack: tuple[str, ...]

    @property
    def module(self) -> str:
        """The function's module, as a path below `lightbus/`, or `generated/` and the file's name."""
        return self.stack[-1]


@dataclass
class Walk:
    """The calls of the thread that records them, and of threads that it starts meanwhile.

    A coroutine counts as one call, however often it is resumed.

    Attributes:
        generated: folder of the generated package.
        calls: the calls in their order; may be cleared at any time.
    """

    generated: Path
    calls: list[Call] = field(default_factory=list)
    _is_over: bool = False
    _frames: dict[int, FrameType] = field(default_factory=dict)  # kept, or an id would be used again

    def modules(self) -> list[str]:
        """Return the modules entered, in the order in which each was first."""
        return list(dict.fromkeys(call.module for call in self.calls))

    def to(self, folder: str) -> tuple[str, ...]:
        """Return the modules on the stack when a module below a path was first entered, that one included."""
        return next(call.stack for call in self.calls if call.module.startswith(folder))

    def end(self) -> None:
        """Record nothing more, in any thread."""
        self._is_over = True

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Record a call; see `sys.setprofile`."""
        if self._is_over or event != "call" or id(frame) in self._frames or not self._module(frame.f_code):
            return
        self._frames[id(frame)] = frame
        stack: list[str] = []
        caller: FrameType | None = frame
        while caller is not None:
            if (name := self._module(caller.f_code)) and name not in stack:
                stack.append(name)
            caller = caller.f_back
        self.calls.append(Call(frame.f_code.co_qualname, tuple(reversed(stack))))

    def _module(self, code: CodeType) -> str:
        """Return the module of a function, "" when it is neither the library's nor generated."""
        path = Path(code.co_filename)
        if path.is_relative_to(self.generated):
            return f"generated/{path.name}"
        return path.relative_to(LIBRARY).as_posix() if path.is_relative_to(LIBRARY) else ""


@contextmanager
def walk(generated: Path) -> Iterator[Walk]:
    """Record calls in this thread, and in those that it starts meanwhile.

    Args:
        generated: folder of the generated package.
    """
    recorded = Walk(generated)
    threading.setprofile(recorded)
    sys.setprofile(recorded)
    try:
        yield recorded
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        recorded.end()
