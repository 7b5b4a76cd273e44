"""`lightbus dev`: a server and the service, which is restarted after each change."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lightbus import DynamicBus
from lightbus.server import NatsServer
from tests.cli.conftest import Fire, Start, Write
from tests.cli.kit import Command, durable, free_port, is_listening, is_running

GREET = """
def welcome(username, **_):
    say("hello", username)

def before_server_start():
    bus.auth.user_created.listen(welcome, listener_name="welcome")
"""


def test_what_is_missing_is_made_whatever_the_code_says(start: Start, write: Write) -> None:
    write(GREET, provision="verify")
    start("dev", "--port", str(free_port())).ready()


@pytest.mark.parametrize(
    "stop", [lambda dev: dev.signal(signal.SIGTERM), lambda dev: dev.ctrl_c()], ids=["SIGTERM", "Ctrl-C"]
)
def test_server_service_reload_and_an_end_that_leaves_nothing(
    start: Start,
    write: Write,
    folder: Path,
    prefix: str,
    producer: Callable[[str], DynamicBus],
    stop: Callable[[Command], None],
) -> None:
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    write(GREET)
    dev = start("dev", "--port", str(port))
    assert dev.wait_for("nats-server on").endswith(f"nats-server on {url}, events in .lightbus/nats/")
    first = dev.ready()
    bus = producer(url)
    bus.auth.user_created.fire(username="ada", email="a@b")
    dev.wait_for("hello ada")

    write(
        GREET.replace('say("hello", username)', 'say("handling", username); os.read(0, 1); say("good bye")')
    )
    assert dev.wait_for("reloading").endswith("bus.py changed, reloading")
    dev.wait_for("stopped")
    second = dev.ready()
    assert first != second
    bus.auth.user_created.fire(username="bob", email="a@b")
    dev.wait_for("handling bob")

    stop(dev)
    dev.wait_for("finishing the running handlers")
    dev.release()
    dev.wait_for("good bye")
    dev.wait_for("stopped")
    dev.wait_for("stopping the nats-server")
    assert dev.end() == 0
    assert not is_running(first)
    assert not is_running(second)
    assert not is_listening(port)
    with NatsServer(folder / ".lightbus" / "nats") as store:
        info = durable(store.url, prefix, "mailer-welcome")
    assert (info["ack_floor"]["stream_seq"], info["num_ack_pending"]) == (2, 0)


def test_a_mistake_is_shown_and_its_correction_picked_up(start: Start, write: Write, on_server: str) -> None:
    write("def broken(:\n", "mailer/main.py")
    dev = start("dev", "--bus", "mailer.main", "--service-name", "two")
    dev.wait_for("error: importing 'mailer.main' raised SyntaxError")
    dev.wait_for("the service ended with exit code 1; waiting for a change")
    write(GREET, "mailer/main.py")
    assert dev.wait_for("changed, reloading").endswith(" mailer/main.py changed, reloading")
    dev.wait_for("listening to auth.user_created as two-welcome")
    service = dev.ready()
    dev.ctrl_c()
    assert dev.end() == 0
    assert not is_running(service)


def test_a_server_that_is_there_is_used(
    start: Start, write: Write, folder: Path, on_server: str, fire: Fire
) -> None:
    write(GREET)
    dev = start("dev", "--port", "4223")
    dev.wait_for("warning: --port 4223 is ignored, because NATS_URL names a server")
    dev.wait_for("using the server in NATS_URL")
    dev.ready()
    fire("ada")
    dev.wait_for("hello ada")
    assert not (folder / ".lightbus").exists()


def test_a_server_on_the_port_is_used(start: Start, write: Write, nats_server: NatsServer) -> None:
    port = nats_server.url.rpartition(":")[2]
    write(GREET)
    dev = start("dev", "--port", port)
    dev.wait_for(f"using the server that already runs on port {port}")
    dev.ready()
