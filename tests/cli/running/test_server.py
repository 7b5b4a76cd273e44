"""`lightbus server`: a real server in the foreground, and its store."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lightbus import DynamicBus
from lightbus.server import NatsServer, ServerError
from tests.cli.conftest import Start, Write
from tests.cli.kit import free_port, is_listening

READY = "Server is ready"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_events_outlive_the_server(
    start: Start, write: Write, producer: Callable[[str], DynamicBus], number: signal.Signals
) -> None:
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    first = start("server", "--port", str(port))
    assert first.wait_for("nats-server with JetStream").endswith(
        f"nats-server with JetStream on {url}, events in .lightbus/nats/, Ctrl-C stops"
    )
    first.wait_for(READY)
    producer(url).auth.user_deleted.fire(username="ada")
    first.signal(number)
    assert first.end() == 0
    assert not is_listening(port)

    start("server", "--port", str(port)).wait_for(READY)
    write('bus.auth.user_deleted.listen(lambda username: say("gone", username), listener_name="gone")')
    start("run", NATS_URL=url).wait_for("gone ada")


def test_its_events_stay_out_of_git(start: Start, folder: Path) -> None:
    start("server", "--port", str(free_port())).wait_for(READY)
    assert (folder / ".lightbus/nats/.gitignore").read_text() == "*\n"


def test_a_taken_port_is_said(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = start("server", "--port", str(port))
        assert command.end() == 1
    assert command.output == (
        f"error: port {port} of 127.0.0.1 is taken, perhaps by a NATS server that runs already.\n"
        "Stop that one, or choose another port: --port PORT"
    )


def test_two_servers_never_share_a_store(start: Start, folder: Path) -> None:
    first = start("server", "--port", str(free_port()))
    first.wait_for(READY)
    second = start("server", "--port", str(free_port()))
    assert second.end() == 1
    assert second.output == (
        "error: another nats-server keeps its events in .lightbus/nats already, and two cannot share a folder.\n"
        "Use that server, stop it, or start this one in another folder."
    )
    with pytest.raises(ServerError, match="another nats-server keeps its events"):
        NatsServer(folder / ".lightbus" / "nats").start()
    first.signal(signal.SIGKILL)  # a crash leaves no stale lock
    first.end()
    with NatsServer(folder / ".lightbus" / "nats") as server:
        assert is_listening(int(server.url.rpartition(":")[2]))


def test_a_store_that_cannot_be_written_is_said(start: Start, folder: Path) -> None:
    (folder / ".lightbus").write_text("a file where the folder should be")
    command = start("server", "--port", str(free_port()))
    assert command.end() == 1
    assert command.output == (
        "error: the events cannot be kept in .lightbus/nats: Not a directory.\n"
        "Make the folder writable, or start the server in another folder."
    )


@pytest.mark.parametrize("command", ["server", "dev"])
@pytest.mark.parametrize(
    "place",
    [
        ".lightbus",
        ".lightbus/nats",
        ".lightbus/nats/.gitignore",
        ".lightbus/nats/lock",
        ".lightbus/nats/jetstream",
        ".lightbus/nats/jetstream/$G/streams",
    ],
)
def test_a_link_does_not_lead_the_events_elsewhere(
    place: str, command: str, start: Start, write: Write, folder: Path, tmp_path: Path
) -> None:
    """A branch could bring it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("precious")
    target = outside / "victim" if place.endswith(("gitignore", "lock")) else outside
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).symlink_to(target)
    write("")
    process = start(command, "--port", str(free_port()))
    assert process.end() == 1
    assert process.output.endswith(
        f"{place} is a link, through which the server would write to {target}.\n"
        "Remove the link, or start the server in another folder."
    )
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "precious"


def test_a_store_that_the_caller_names_may_be_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "linked").symlink_to("store")
    with NatsServer(tmp_path / "linked"):
        assert (tmp_path / "store/jetstream").is_dir()
