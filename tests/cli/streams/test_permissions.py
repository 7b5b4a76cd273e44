"""Services run with exactly the permissions that `lightbus plan --format nats` prints, and can do nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import lightbus
from lightbus import Api, DynamicBus, Event, Parameter, PermissionDenied
from lightbus.jetstream.connection.address import Address
from lightbus.jetstream.connection.connection import Connection
from lightbus.testing import NatsServer
from tests.cli.conftest import Start
from tests.cli.kit import BOUND, Command

AUTH = """
    import lightbus
    from lightbus import Api, Event, Parameter

    class AuthApi(Api):
        user_created = Event(parameters=(Parameter("username", str), Parameter("email", str)))

        class Meta:
            name = "auth"

    bus = lightbus.create(service_name="auth")
"""
MAILER = """
    import os
    from pathlib import Path

    import lightbus
    from acme_bus import Bus

    bus = lightbus.create(Bus, service_name="mailer")

    def welcome(username: str, **_: object) -> None:
        if username == "poison" and not Path("mended").exists():
            raise ValueError("cannot take it")
        os.write(1, f"welcome {username}\\n".encode())

    def audit(username: str, **_: object) -> None:
        os.write(1, f"audit {username}\\n".encode())

    def before_server_start() -> None:
        bus.auth.user_created.listen(welcome, listener_name="welcome", retries=0)
        bus.auth.user_created.listen(audit, listener_name="audit")
"""
MODULES = ("--bus", "auth.bus", "--bus", "mailer.bus")
USERS = ("LIGHTBUS_ADMIN", "AUTH", "MAILER")


@pytest.fixture
def services(folder: Path) -> None:
    """The two services."""
    for name, code in (("auth", AUTH), ("mailer", MAILER)):
        (folder / name).mkdir()
        (folder / name / "bus.py").write_text(textwrap.dedent(code))


def outcome(command: Command) -> str:
    """Wait for a command to succeed, and return its output."""
    code = command.end()
    assert code == 0, command.output
    return command.output


@pytest.fixture
def server(
    request: pytest.FixtureRequest, services: None, start: Start, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NatsServer]:
    """A server with the printed configuration, and with the services' streams and durables."""
    configuration = outcome(start("plan", "--format", "nats", *MODULES))
    for user in USERS:
        monkeypatch.setenv(f"{user}_PASSWORD", f"secret-of-{user.lower()}")
    with NatsServer(config=f"{configuration}\n{getattr(request, 'param', '')}") as server:
        outcome(start("apply", "--yes", *MODULES, NATS_URL=url_of(server, "lightbus-admin")))
        yield server


class AuthApi(Api):
    """The API of the service `auth`."""

    user_created = Event(parameters=(Parameter("username", str), Parameter("email", str)))

    class Meta:
        name = "auth"


def url_of(server: NatsServer, user: str) -> str:
    password = f"secret-of-{user.replace('-', '_')}"
    return server.url.replace("//", f"//{user}:{password}@")


@pytest.fixture
def auth(server: NatsServer) -> Iterator[DynamicBus]:
    with lightbus.create(
        url=url_of(server, "auth"), service_name="auth", apis=[AuthApi], provision="verify"
    ) as bus:
        yield bus


NEW_ACKS = "feature_flags { js_ack_fc_v2: true }"


@pytest.mark.parametrize("server", ["", NEW_ACKS], ids=["ack v1", "ack v2"], indirect=True)
def test_services_need_nothing_else(server: NatsServer, auth: DynamicBus, start: Start, folder: Path) -> None:
    admin = url_of(server, "lightbus-admin")
    service = start("run", "--bus", "mailer.bus", "--provision", "verify", NATS_URL=url_of(server, "mailer"))
    service.ready()
    auth.auth.user_created.fire(username="ada", email="ada@example.com")
    service.wait_for("welcome ada", "audit ada")
    auth.auth.user_created.fire(username="poison", email="poison@example.com")
    service.wait_for("goes to the dead letters", "audit poison")
    (folder / "mended").touch()
    replay = start("dead-letters", "replay", "--all", NATS_URL=admin)
    service.wait_for("welcome poison")
    assert "1 handled" in outcome(replay)
    assert "0 dead letters" in outcome(start("dead-letters", "list", NATS_URL=admin))
    assert "nothing to do" in outcome(start("plan", *MODULES, NATS_URL=admin))
    assert "mailer-welcome" in outcome(start("status", NATS_URL=admin))
    assert "Violation" not in server.log.read_text()


DURABLE = {"durable_name": "spy", "filter_subject": "lightbus.auth.user_created", "ack_policy": "explicit"}
READ = "$JS.API.DIRECT.GET.lightbus-dead-letters"
WIDER: list[tuple[str, str, dict[str, Any]]] = [
    ("mailer", "lightbus.auth.user_created", {}),
    ("mailer", "lightbus-dead-letters.lightbus-auth.billing-invoice.1.1", {}),
    ("mailer", "$JS.API.STREAM.DELETE.lightbus-auth", {}),
    ("mailer", "$JS.API.STREAM.MSG.GET.lightbus-auth", {"seq": 1}),
    ("mailer", "$JS.API.DIRECT.GET.lightbus-auth", {"seq": 1}),
    ("mailer", READ, {"seq": 1}),
    ("mailer", f"{READ}.lightbus-dead-letters.lightbus-auth.mailer-welcome.1.1", {}),
    ("mailer", "$JS.API.CONSUMER.DELETE.lightbus-auth.mailer-welcome", {}),
    (
        "mailer",
        "$JS.API.CONSUMER.CREATE.lightbus-auth.spy.lightbus.auth.user_created",
        {"stream_name": "lightbus-auth", "config": DURABLE},
    ),
    ("mailer", "$JS.API.CONSUMER.MSG.NEXT.lightbus-auth.billing-invoice", {"batch": 1}),
    ("auth", "lightbus.shop.order_placed", {}),
    ("auth", "$JS.API.STREAM.UPDATE.lightbus-auth", {"name": "lightbus-auth"}),
    ("auth", "$JS.API.CONSUMER.MSG.NEXT.lightbus-auth.mailer-welcome", {"batch": 1}),
    ("auth", "$JS.ACK.lightbus-auth.mailer-welcome.1.1.1.1.1", {}),
]


async def test_services_can_do_nothing_else(server: NatsServer) -> None:
    for user, subject, body in WIDER:
        async with connected(server, user) as connection:
            with pytest.raises(PermissionDenied, match="denies publishing"):
                await connection.request(subject, json.dumps(body).encode(), BOUND)


COMMANDS = [
    ("plan", *MODULES),
    ("apply", "--yes", *MODULES),
    ("status",),
    ("inspect",),
    ("dead-letters", "list"),
    ("dead-letters", "show", "1"),
    ("dead-letters", "replay", "--all"),
    ("dead-letters", "discard", "--all", "--yes"),
]


def test_commands_of_a_user_without_their_permissions_say_so(server: NatsServer, start: Start) -> None:
    """They receive no answer, and do not wait for one."""
    commands = [start(*arguments, NATS_URL=url_of(server, "mailer")) for arguments in COMMANDS]
    for command, arguments in zip(commands, COMMANDS, strict=True):
        assert command.end() == (1 if arguments[0] == "dead-letters" else 2), arguments
        shown = " ".join(command.output.split())
        assert f"the NATS server at {server.url} denies subscribing to '_INBOX." in shown
        assert "allows the user 'mailer' those that begin with '_INBOX_mailer'" in shown
        assert "sign in as 'lightbus-admin'" in shown
        assert "no answer" not in shown and "secret-of" not in shown


GUEST = """
authorization { users = [
  { user: guest, password: secret-of-guest, permissions: { publish: "nothing", subscribe: "_INBOX.>" } }
] }
"""


@pytest.mark.usefixtures("services")
def test_commands_name_the_request_that_is_denied(start: Start) -> None:
    with NatsServer(config=GUEST) as server:
        commands = [start(*arguments, NATS_URL=url_of(server, "guest")) for arguments in COMMANDS]
        for command in commands:
            assert command.end()
            shown = " ".join(command.output.split())
            assert f"the NATS server at {server.url} denies publishing to '$JS.API." in shown
            assert "Sign in as lightbus-admin" in shown
            assert "no answer" not in shown


def test_a_service_that_signs_in_as_another_is_told_both_names(server: NatsServer) -> None:
    with (
        lightbus.create(url=url_of(server, "auth"), service_name="courier", apis=[AuthApi]) as bus,
        pytest.raises(PermissionDenied) as caught,
    ):
        bus.auth.user_created.fire(username="ada", email="ada@example.com")
    assert re.fullmatch(
        rf"the NATS server at {server.url} denies subscribing to '_INBOX_courier\.\w+\.\*' to this user\."
        r" The inboxes of the service 'courier' begin with '_INBOX_courier', and `lightbus plan --format nats`"
        r" allows the user 'auth' those that begin with '_INBOX_auth': sign in as 'courier', set service_name to"
        r" 'auth', or allow this user to subscribe to '_INBOX_courier\.>'\.",
        str(caught.value),
    )


VICTIM = "lightbus-auth.billing-invoice.1.1"  # another service's listener, and one of its events


async def test_answers_that_the_server_sends_elsewhere_are_told_apart(
    server: NatsServer, start: Start
) -> None:
    """The server checks the subject of a request, and not where its answer goes; the last of several stays there."""
    own = "lightbus-dead-letters.lightbus-auth.mailer-welcome"
    async with connected(server, "mailer") as mailer:
        mailer.send(f"{own}.1.1", b"", reply=f"lightbus-dead-letters.{VICTIM}")
        mailer.send(f"{own}.1.4", b"", reply=f"lightbus-dead-letters.{VICTIM}")
        mailer.send(f"{own}.1.2", b"", reply=f"lightbus-dead-letters-replays.{VICTIM}.1")
        mailer.send(f"{own}.1.3", b"", reply="lightbus.auth.user_created")
        await mailer.processed()
    async with connected(server, "lightbus-admin", inboxes="_INBOX") as admin:

        async def count(stream: str) -> int:
            return int((await admin.api(f"STREAM.INFO.{stream}"))["state"]["messages"])

        async with asyncio.timeout(BOUND):
            while (  # noqa: ASYNC110 - the server tells nobody
                await count("lightbus-auth") + await count("lightbus-dead-letters-replays") < 2
            ):
                await asyncio.sleep(0.01)
    service = start("run", "--bus", "mailer.bus", "--provision", "verify", NATS_URL=url_of(server, "mailer"))
    service.wait_for("goes to the dead letters: its body is not a CloudEvent")  # on the subject of an event
    service.ready()
    listing = outcome(
        start("dead-letters", "list", "--format", "json", NATS_URL=url_of(server, "lightbus-admin"))
    )
    (victims,) = [line for line in listing.splitlines() if "billing-invoice" in line]
    assert "no listener wrote it" in json.loads(victims)["unreadable"]


async def test_services_hear_nothing_else(server: NatsServer) -> None:
    denied: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    async with connected(server, "mailer") as connection:
        connection.when_denied(lambda *what: denied.put_nowait(what))
        for subject in ("_INBOX_auth.>", "_INBOX.>", "lightbus.auth.user_created", ">"):
            await connection.subscribe(subject, lambda message: None)
            assert await asyncio.wait_for(denied.get(), BOUND) == ("subscription", subject.lower())


WEB = """
    import lightbus
    from acme_bus import Bus

    bus = lightbus.create(Bus, service_name="web")
"""
FIRES_AUTH = '"lightbus.auth.*"'


@pytest.fixture
def web(services: None, folder: Path) -> None:
    """A service whose code does not show which events it fires."""
    (folder / "web.py").write_text(textwrap.dedent(WEB))


@pytest.mark.usefixtures("web")
def test_only_the_service_that_is_named_may_fire(start: Start) -> None:
    modules = ("--bus", "web", "--bus", "mailer.bus")
    shown = outcome(start("plan", "--format", "nats", *modules, "--fires", "web:auth"))
    assert "warning" not in shown
    _, _, web, mailer = shown.split('user: "')
    assert FIRES_AUTH in web
    assert FIRES_AUTH not in mailer


@pytest.mark.usefixtures("web")
def test_a_single_service_need_not_be_named(start: Start) -> None:
    assert FIRES_AUTH in outcome(start("plan", "--format", "nats", "--bus", "web", "--fires", "auth"))


@pytest.mark.usefixtures("web")
def test_one_of_several_services_must_be_named(start: Start) -> None:
    plan = start("plan", "--format", "nats", "--bus", "web", "--bus", "mailer.bus", "--fires", "auth")
    assert plan.end() == 2
    assert plan.output == "error: --fires auth: say which service: --fires web:auth. Services: web, mailer."


@pytest.mark.usefixtures("web")
def test_a_service_that_would_be_allowed_nothing_is_warned_of(start: Start) -> None:
    shown = outcome(start("plan", "--format", "nats", "--bus", "web", "--bus", "mailer.bus"))
    assert FIRES_AUTH not in shown
    assert "warning: service 'web' neither fires nor listens" in shown
    assert "--fires web:API" in shown
    assert "service 'mailer'" not in shown


@pytest.mark.usefixtures("web")
def test_a_service_named_like_the_operator_is_refused(start: Start) -> None:
    plan = start("plan", "--format", "nats", "--bus", "web", "--service-name", "lightbus-admin")
    assert plan.end() == 2
    assert plan.output == (
        "error: permissions cannot separate the operator from service 'lightbus-admin':"
        " both would have the user lightbus-admin.\nGive one of them another name or prefix."
    )


@asynccontextmanager
async def connected(server: NatsServer, user: str, inboxes: str = "") -> AsyncIterator[Connection]:
    address = Address((url_of(server, user),), "the test")
    connection = Connection(address, user, inbox_prefix=inboxes or f"_INBOX_{user}")
    await connection.connect()
    try:
        yield connection
    finally:
        await connection.close()
