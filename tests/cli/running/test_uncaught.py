"""What asyncio, threads and hooks report in `lightbus run` looks like records of theirs, not like lines of another."""

from __future__ import annotations

import signal

from tests.cli.conftest import Start, Write
from tests.hostile_text import FORGED, HOSTILE, check_harmless

LOGIN = "nats://joe:s3cret-pw@host"


def test_nothing_uncaught_forges_a_line(start: Start, write: Write, on_server: str) -> None:
    write(f"""
import asyncio, gc, logging, threading

TEXT = {f"{HOSTILE} {LOGIN}"!a}

class Odd:
    def __del__(self):
        raise ValueError("deleted " + TEXT)

def fails():
    raise ValueError("in a thread " + TEXT)

async def never_retrieved():
    raise ValueError("in a task " + TEXT)

async def before_server_start():
    await bus.auth.user_created.listen_async(lambda **_: None, listener_name="welcome")
    threading.Thread(target=fails, name="worker " + TEXT).start()
    asyncio.get_running_loop().call_soon(fails)
    task = asyncio.create_task(never_retrieved())
    await asyncio.sleep(0.01)
    del task
    Odd()
    gc.collect()
    logging.getLogger("other").warning("careful " + TEXT)
""")
    service = start("run")
    service.wait_for("in a thread", "in a task", "deleted", "careful", "ready (process")
    service.signal(signal.SIGTERM)
    service.end()
    shown = check_harmless(service.output.encode())
    assert FORGED in shown and "s3cret" not in shown
    assert "error: uncaught exception in thread worker" in shown
    assert "error: asyncio: Task exception was never retrieved" in shown
    assert "warning: other: careful" in shown


def test_usage_errors_show_no_logins(start: Start) -> None:
    for arguments in (
        ("status", LOGIN),
        (LOGIN,),
        ("dead-letters", LOGIN),
        ("dead-letters", "list", "--limit", LOGIN),
        (f"--{LOGIN}",),
        ("run", f"--{LOGIN}"),
    ):
        command = start(*arguments)
        command.end()
        assert "Usage" in command.output and "s3cret" not in command.output, command.output


def test_errors_of_a_module_show_no_logins(start: Start, write: Write, on_server: str) -> None:
    write(f"address = {LOGIN!r}\nraise ConnectionError('cannot reach ' + address)")
    command = start("run")
    command.end()
    assert "raised ConnectionError: cannot reach nats://host" in command.output
    assert "s3cret" not in command.output
    write("", url="jane:s3cret-9@host", service_name="?")
    command = start("run")
    command.end()
    assert "service_name" in command.output and "s3cret" not in command.output
