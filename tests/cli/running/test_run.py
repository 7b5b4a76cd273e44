"""`lightbus run`: from the first line to the last, on a real server."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from importlib.metadata import version

import pytest

from tests.cli.conftest import Fire, Start, Write
from tests.cli.kit import dead_letters, durable

LISTEN = 'bus.auth.user_created.listen(welcome, listener_name="welcome")\n'
GREET = """
def welcome(event: EventMessage, username, email):
    say("hello", username, "attempt", event.attempt)
"""
BEFORE = "def before_server_start():\n    "


# -- finding and naming the service ------------------------------------------------------------------


def test_the_lifecycle_one_line_each(start: Start, write: Write, on_server: str, fire: Fire) -> None:
    write(GREET + BEFORE + LISTEN)
    service = start("run")
    service.ready()
    fire("ada")
    service.wait_for("hello ada attempt 1")
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in service.output.splitlines()]
    assert [re.sub(r"process \d+", "process N", line) for line in lines] == [
        f"lightbus {version('lightbus-nats')}, service mailer, server {on_server} (NATS_URL)",
        "calling before_server_start()",
        "listening to auth.user_created as mailer-welcome",
        "ready (process N), Ctrl-C stops",
        "hello ada attempt 1",
        "SIGTERM: finishing the running handlers",
        "stopped",
    ]


def test_a_service_without_a_name_is_warned(start: Start, write: Write, on_server: str) -> None:
    """Its durables have the names of its listeners alone, as in any other service without a name."""
    write(GREET + BEFORE + LISTEN, service_name="")
    service = start("run")
    service.ready()
    assert "warning: the service has no name" in service.output


def test_a_module_that_fires_when_it_is_imported_has_its_listeners_wait_all_the_same(
    start: Start, write: Write, on_server: str
) -> None:
    fire = 'bus.auth.user_created.fire(username="ada", email="ada@example.com")\n'
    write(GREET + fire + LISTEN + 'def before_server_start():\n    say("set up")\n')
    service = start("run")
    service.ready()
    service.wait_for("hello ada attempt 1")
    lines = service.output.splitlines()
    assert lines.index("set up") < lines.index("hello ada attempt 1")


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (["--bus", "mailer.service"], {}),
        ([], {"LIGHTBUS_MODULE": "mailer.service"}),
        (["--bus", "mailer.service"], {"LIGHTBUS_MODULE": "nowhere"}),
    ],
    ids=["option", "environment", "option first"],
)
def test_the_module_can_be_named(
    start: Start, write: Write, on_server: str, arguments: list[str], settings: dict[str, str]
) -> None:
    write(GREET + BEFORE + LISTEN, "mailer/service.py")
    start("run", *arguments, **settings).ready()


def test_the_only_bus_of_a_module_is_found_by_any_name(start: Start, write: Write, on_server: str) -> None:
    write(GREET + "events = bus\ndel bus\n" + BEFORE + LISTEN.replace("bus.", "events."))
    start("run").ready()


@pytest.mark.parametrize("place", [LISTEN, BEFORE + LISTEN], ids=["module level", "hook"])
def test_the_service_name_can_be_overridden(
    start: Start, write: Write, on_server: str, prefix: str, fire: Fire, place: str
) -> None:
    write(GREET + place)
    service = start("run", "--service-name", "mailer-two")
    assert "service mailer-two," in service.wait_for("lightbus")
    service.wait_for("listening to auth.user_created as mailer-two-welcome")
    service.ready()
    event = fire("ada")
    service.wait_for("hello ada")
    assert event.source == "/auth"
    assert durable(on_server, prefix, "mailer-two-welcome")["config"]["filter_subject"].endswith(
        ".user_created"
    )


# -- hooks and listeners -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_hooks_are_called_around_the_listeners(
    start: Start, write: Write, on_server: str, fire: Fire, kind: str
) -> None:
    write(
        GREET
        + f"""
{kind} before_server_start():
    say("before")
    {LISTEN}
{kind} after_server_stopped():
    say("after")
"""
    )
    service = start("run")
    service.wait_for("before")
    service.ready()
    fire("ada")
    service.wait_for("hello ada")
    service.signal(signal.SIGINT)
    service.wait_for("SIGINT: finishing")
    service.wait_for("calling after_server_stopped()")
    service.wait_for("after")
    service.wait_for("stopped")
    assert service.end() == 0


def test_a_hook_may_await_listen_async(start: Start, write: Write, on_server: str, fire: Fire) -> None:
    write(
        """
        async def welcome(username, **_):
            say("hello", username)

        async def before_server_start():
            listener = await bus.auth.user_created.listen_async(welcome, listener_name="welcome")
            say("durable", listener.durable)
        """
    )
    service = start("run")
    service.wait_for("durable mailer-welcome")
    service.ready()
    fire("ada")
    service.wait_for("hello ada")


def test_listeners_may_be_set_up_at_module_level(
    start: Start, write: Write, on_server: str, prefix: str, fire: Fire
) -> None:
    write(GREET + LISTEN)
    service = start("run")
    service.wait_for("listening to auth.user_created as mailer-welcome")
    service.ready()
    fire("ada")
    service.wait_for("hello ada")
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    assert durable(on_server, prefix, "mailer-welcome")["num_ack_pending"] == 0


def test_a_service_that_nohup_started_survives_its_terminal(
    start: Start, write: Write, on_server: str, fire: Fire
) -> None:
    write("import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + GREET + BEFORE + LISTEN)
    service = start("run")
    service.ready()
    service.signal(signal.SIGHUP)
    fire("ada")
    service.wait_for("hello ada")
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    assert "SIGHUP" not in service.output


def test_listeners_of_the_module_level_wait_for_the_hook_and_share_its_loop(
    start: Start, write: Write, on_server: str, fire: Fire
) -> None:
    write(
        """
        import asyncio

        async def welcome(username, **_):
            say("hello", username, await mail_server)

        bus.auth.user_created.listen(welcome, listener_name="welcome")

        async def before_server_start():
            global mail_server
            await asyncio.to_thread(os.read, 0, 1)
            mail_server = asyncio.get_running_loop().create_future()
            mail_server.set_result("by mail")
        """
    )
    fire("ada")
    service = start("run")
    service.wait_for("calling before_server_start()")
    service.release()
    service.wait_for("hello ada by mail")
    assert "warning" not in service.output


@pytest.mark.parametrize("place", ["", "def before_server_start():\n    "], ids=["module level", "hook"])
def test_every_bus_of_the_module_runs(
    start: Start, write: Write, on_server: str, prefix: str, fire: Fire, place: str
) -> None:
    write(
        f"""
other = lightbus.create(service_name="mirror", prefix="{prefix}-other")

def copy(username, **_):
    other.auth.user_deleted.fire(username=username)

bus.auth.user_created.listen(copy, listener_name="copy")
{place}other.auth.user_deleted.listen(lambda username: say("copied", username), listener_name="note")
"""
    )
    service = start("run")
    service.wait_for("service mailer")
    service.wait_for("listening to auth.user_created as mailer-copy")
    service.wait_for("listening to auth.user_deleted as mirror-note")
    service.ready()
    fire("ada")
    service.wait_for("copied ada")
    service.signal(signal.SIGTERM)
    assert service.end() == 0


def test_handlers_may_fire(start: Start, write: Write, on_server: str, fire: Fire) -> None:
    write(
        """
        def chain(username, **_):
            bus.auth.user_deleted.fire(username=username)

        async def before_server_start():
            bus.auth.user_created.listen(chain, listener_name="chain")
            bus.auth.user_deleted.listen(lambda username: say("gone", username), listener_name="gone")
        """
    )
    service = start("run")
    service.ready()
    fire("ada")
    service.wait_for("gone ada")


def test_the_service_may_set_up_its_own_logging(start: Start, write: Write, on_server: str) -> None:
    write("import logging; logging.basicConfig(format='MINE %(message)s')\n" + GREET + BEFORE + LISTEN)
    service = start("run")
    service.ready()
    assert service.output.splitlines()[0].startswith("MINE lightbus")
    assert service.output.count("listening to") == 1


# -- stopping ----------------------------------------------------------------------------------------

WAIT_SYNC = """
def welcome(username, **_):
    say("handling", username)
    os.read(0, 1)
    say("handled", username)
"""
WAIT_ASYNC = """
import asyncio

async def welcome(username, **_):
    say("handling", username)
    await asyncio.to_thread(os.read, 0, 1)
    say("handled", username)
"""


@pytest.fixture
def default_hangup() -> Iterator[None]:
    """Let SIGHUP reach the services, even if nohup started the tests."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, inherited)


@pytest.mark.usefixtures("default_hangup")
@pytest.mark.parametrize(
    ("number", "handler"),
    [
        (signal.SIGTERM, WAIT_SYNC),
        (signal.SIGINT, WAIT_SYNC),
        (signal.SIGHUP, WAIT_SYNC),
        (signal.SIGTERM, WAIT_ASYNC),
    ],
    ids=["SIGTERM", "SIGINT", "SIGHUP", "async handler"],
)
def test_a_running_handler_finishes_and_is_acknowledged(
    start: Start, write: Write, on_server: str, prefix: str, fire: Fire, number: signal.Signals, handler: str
) -> None:
    write(handler + BEFORE + LISTEN)
    service = start("run")
    service.ready()
    fire("ada")
    fire("bob")
    service.wait_for("handling ada")
    service.signal(number)
    service.wait_for(f"{number.name}: finishing the running handlers")
    service.release()
    service.wait_for("handled ada")
    service.wait_for("stopped")
    assert service.end() == 0
    assert durable(on_server, prefix, "mailer-welcome")["ack_floor"]["stream_seq"] == 1
    following = start("run")
    following.wait_for("handling bob")  # never fetched, or returned to the server: no wait for ack_wait
    following.release()
    following.wait_for("handled bob")
    following.signal(signal.SIGTERM)
    assert following.end() == 0
    assert "handling bob" not in service.output


def test_the_same_signal_again_stops_at_once(
    start: Start, write: Write, on_server: str, prefix: str, fire: Fire
) -> None:
    write(WAIT_SYNC + BEFORE + LISTEN)
    service = start("run")
    service.ready()
    fire("ada")
    service.wait_for("handling ada")
    service.signal(signal.SIGTERM)
    service.wait_for("SIGTERM: finishing")
    service.signal(signal.SIGTERM)
    assert service.end() == -signal.SIGTERM
    assert "SIGTERM again: stopping at once, unfinished events will be delivered again" in service.output
    assert durable(on_server, prefix, "mailer-welcome")["num_ack_pending"] == 1


def test_another_signal_does_not_hurry(start: Start, write: Write, on_server: str, fire: Fire) -> None:
    write(WAIT_SYNC + BEFORE + LISTEN)
    service = start("run")
    service.ready()
    fire("ada")
    service.wait_for("handling ada")
    service.signal(signal.SIGINT)
    service.wait_for("SIGINT: finishing")
    service.signal(signal.SIGTERM)
    service.release()
    service.wait_for("handled ada")
    assert service.end() == 0


def test_a_handler_that_never_ends_does_not_keep_the_process(
    start: Start, write: Write, on_server: str, fire: Fire
) -> None:
    write(WAIT_SYNC + BEFORE + LISTEN.replace(")", ", ack_wait=600.0)"), grace=0.1)
    service = start("run")
    service.ready()
    fire("ada")
    service.wait_for("handling ada")
    service.signal(signal.SIGTERM)
    service.wait_for("warning: mailer-welcome: 1 handler(s) did not finish within 0.1 s")
    assert service.end() == 0
    start("run").wait_for("handling ada")  # returned to the server: no wait for ack_wait


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_signal_ends_a_start_that_hangs(start: Start, write: Write, on_server: str, kind: str) -> None:
    wait = "os.read(0, 1)" if kind == "def" else "import asyncio; await asyncio.Event().wait()"
    write(
        f"""
        {kind} before_server_start():
            say("waiting for a database")
            {wait}

        def after_server_stopped():
            say("never set up, so never taken down")
        """
    )
    service = start("run")
    service.wait_for("waiting for a database")
    service.signal(signal.SIGTERM)
    service.wait_for("stopped")
    assert service.end() == 0
    assert "never set up" not in service.output


# -- failing -----------------------------------------------------------------------------------------


def test_shutdown_is_one_clear_message_and_keeps_the_event(
    start: Start, write: Write, on_server: str, fire: Fire
) -> None:
    write(
        """
        def welcome(event: EventMessage, username, **_):
            say("handling", username, "attempt", event.attempt)
            if event.attempt == 1:
                raise ValueError("no mail server")

        def before_server_start():
            bus.auth.user_created.listen(welcome, listener_name="welcome", on_error=OnError.SHUTDOWN)

        def after_server_stopped():
            say("after")
        """
    )
    service = start("run")
    service.ready()
    event = fire("ada")
    service.wait_for("error: ")
    assert service.end() == 1
    assert service.output.count("handling") == 1
    assert service.output.splitlines()[-5:-2] == [
        f"error: listener 'mailer-welcome' failed on event {event.id}: ValueError: no mail server",
        '  bus.py:20 in welcome: raise ValueError("no mail server")',
        "The event stays on the stream, and the next run gets it again.",
    ]
    assert service.output.splitlines()[-1] == "after"
    next_run = start("run")
    next_run.wait_for("handling ada attempt 2")


@pytest.mark.parametrize(
    ("kind", "error"), [("def", "SystemExit(3)"), ("async def", "asyncio.CancelledError()")]
)
def test_whatever_a_handler_raises_is_a_failure_of_that_event(
    start: Start, write: Write, on_server: str, fire: Fire, kind: str, error: str
) -> None:
    write(
        f"""
        import asyncio

        {kind} welcome(event: EventMessage, username, **_):
            say("handling", username, "attempt", event.attempt)
            if event.attempt == 1:
                raise {error}

        def before_server_start():
            bus.auth.user_created.listen(welcome, listener_name="welcome", backoff=Backoff(first=0))
        """
    )
    service = start("run")
    service.ready()
    fire("ada")
    service.wait_for("handling ada attempt 1")
    service.wait_for("failed on attempt 1, next try in 0.0 s")
    assert "bus.py" in service.wait_for("File ")  # a traceback that begins in the user's code
    service.wait_for("handling ada attempt 2")
    service.signal(signal.SIGTERM)
    assert service.end() == 0


def test_a_killed_workers_event_goes_to_another(
    start: Start, write: Write, on_server: str, prefix: str, fire: Fire
) -> None:
    write(
        """
        def welcome(event: EventMessage, username, **_):
            say("handling", username, "attempt", event.attempt)
            if os.environ.get("STUCK"):
                os.read(0, 1)
            say("handled", username)

        def before_server_start():
            bus.auth.user_created.listen(welcome, listener_name="welcome", ack_wait=1.0)
        """
    )
    victim = start("run", STUCK="1")
    victim.ready()
    fire("ada")
    victim.wait_for("handling ada attempt 1")
    other = start("run")
    other.ready()
    victim.signal(signal.SIGKILL)
    other.wait_for("handling ada attempt 2")
    other.wait_for("handled ada")
    other.signal(signal.SIGTERM)
    assert other.end() == 0
    assert durable(on_server, prefix, "mailer-welcome")["ack_floor"]["stream_seq"] == 1


def test_an_event_that_kills_its_workers_ends_in_the_dead_letters(
    start: Start, write: Write, on_server: str, prefix: str, fire: Fire
) -> None:
    write(
        """
        def welcome(event: EventMessage, username, **_):
            say("handling", username, "attempt", event.attempt)
            if username == "killer":
                os._exit(7)

        def before_server_start():
            bus.auth.user_created.listen(welcome, listener_name="welcome", ack_wait=1.0, retries=2)
        """
    )
    killer = fire("killer")
    for attempt in (1, 2, 3):
        victim = start("run")
        victim.wait_for(f"handling killer attempt {attempt}")
        assert victim.end() == 7
    survivor = start("run")
    survivor.wait_for(
        "error: mailer-welcome: event at sequence 1 goes to the dead letters:"
        " delivered 3 times without a result; its workers probably crashed,"
        " or could not store its dead letter: see their logs"
    )
    fire("good")
    survivor.wait_for("handling good attempt 1")
    assert "killer" not in survivor.output
    (letter,) = dead_letters(on_server, prefix)
    assert killer.id.encode() in letter.body


def test_the_version_is_told(start: Start) -> None:
    command = start("--version")
    assert command.end() == 0
    assert command.output == f"lightbus-nats, version {version('lightbus-nats')}"
