"""In a process whose threads gevent has replaced, a bus is refused with the reason, before it hangs."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("gevent", reason="gevent is not part of the development environment")

DEFINE = """
import lightbus
from lightbus import Api, Event

class JobApi(Api):
    wanted = Event(parameters="name")

    class Meta:
        name = "job"
"""
PATCH = "from gevent import monkey; monkey.patch_all()\n"
CREATE = 'bus = lightbus.create(url="memory://gevent")\n'
FIRE = 'bus.job.wanted.fire(name="ada"); bus.job.wanted.fire(name="bob"); print("fired")\n'


@pytest.mark.parametrize(
    "script",
    [PATCH + DEFINE + CREATE + FIRE, DEFINE + PATCH + CREATE + FIRE, DEFINE + CREATE + PATCH + FIRE],
    ids=["patched first", "patched after the import", "patched after create()"],
)
def test_greenlets_in_place_of_threads_are_refused(script: str) -> None:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "UsageError: gevent has replaced the threads of this process by greenlets" in done.stderr
    assert not done.stdout


def test_gevent_without_its_threads_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import gevent.monkey\n" + DEFINE + CREATE + FIRE],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "fired\n"
