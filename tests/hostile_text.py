"""Text that steers terminals and forges lines, and the check that none of it came out raw."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import unicodedata
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import forks

FORGED = "12:00:00 error: forged"
OSC, CSI, C1 = "\x1b]0;title\x07", "\x1b[2J", "\x9b2J\x85"
INVISIBLE = "\u202e\u2066\u200b\u2028\u2029\ufeff\U000e0041"
HOSTILE = f"Ольга {OSC}{CSI}{C1}\x7f\r\n{FORGED}\n{FORGED}{INVISIBLE}"
"""Readable at its beginning, hostile after it."""
WORD = re.sub(r"\s", "", HOSTILE)
"""The same without spaces and line feeds, for subjects and file names."""

_COLOURS = re.compile(r"\x1b\[\d*m")  # what click writes; the hostile texts have no colours
_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def check_harmless(output: bytes) -> str:
    """Check that an output steers nothing and that no line in it was forged, and return it."""
    text = _COLOURS.sub("", output.decode()).replace("\r\n", "\n")
    lines = text.split("\n")
    assert [line for line in lines if _HARMFUL.intersection(map(unicodedata.category, line))] == []
    assert [line for line in lines if line.startswith(FORGED)] == []
    return text


def piped(*arguments: str, folder: Path, environment: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Run `python -m` with arguments to its end; return its standard output and error."""
    _, out, err = forks.run(*arguments, folder=folder, environment=environment, timeout=60)
    return out.encode(), err.encode()


def in_terminal(*arguments: str, folder: Path, environment: Mapping[str, str]) -> bytes:
    """Run `python -m` with arguments to its end in a terminal; return all that it printed."""
    master, slave = pty.openpty()
    with ThreadPoolExecutor(1) as reader:
        output = reader.submit(_read_all, master)
        forks.run_on((slave, slave, slave), *arguments, folder=folder, environment=environment, timeout=60)
        os.close(slave)
    os.close(master)
    return output.result()


def _read_all(terminal: int) -> bytes:
    output = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(terminal, 65_536):
            output += chunk
    return output
