"""Secrets stay out of logs, errors, reprs, tables and tracebacks, whatever happens to a connection or a command."""

from __future__ import annotations

import asyncio
import logging
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import nkeys
import pytest

import lightbus
from lightbus import LightbusError
from lightbus.jetstream import JetStreamTransport
from lightbus.testing import NatsServer
from tests.cli.conftest import clean_environment
from tests.cli.kit import Command, free_port, service_code
from tests.faults.identities import Certificates, Key, Operator, write_context
from tests.faults.jobs import JobApi
from tests.faults.servers import cluster
from tests.faults.waiting import BOUND, until

USER, PASSWORD, TOKEN = "joe.operator", "p@s[s]/w#r?d, 41%é", "t0k:en/Zk9"
WRONG = "wr0ng-Xq7"
USERS = f'authorization {{ user: "{USER}", password: "{PASSWORD}" }}\n'
TOKENS = f'authorization {{ token: "{TOKEN}" }}\n'


def forms(*secrets: str) -> list[str]:
    """Return secrets as they may be written: raw, percent-encoded, as Python and JSON quote them, and their halves."""
    return [
        form
        for secret in secrets
        for form in (
            secret,
            quote(secret, safe=""),
            quote(secret),
            ascii(secret)[1:-1],
            secret[: len(secret) // 2 + 1],
            secret[len(secret) // 2 - 1 :],
        )
    ]


class Way:
    """A way to authenticate.

    Args:
        config: of the server.
        settings: of the context, with the URL's login as `login`.
        secrets: what must not be shown.
    """

    def __init__(self, config: str, settings: dict[str, str], secrets: list[str]) -> None:
        self.config, self.settings, self.secrets = config, settings, forms(*secrets)

    def address(self, server: NatsServer) -> str:
        return f"nats://{self.settings.get('login', '')}{server.url.removeprefix('nats://')}"

    def context(self, home: Path, server: NatsServer) -> str:
        settings = {name: value for name, value in self.settings.items() if name != "login"}
        return write_context(home, url=self.address(server), **settings)


def password_in_url(home: Path) -> Way:
    login = f"{USER}:{quote(PASSWORD, safe='')}@"
    return Way(USERS, {"login": login}, [USER, PASSWORD])


def token_in_url(home: Path) -> Way:
    return Way(TOKENS, {"login": f"{quote(TOKEN, safe='')}@"}, [TOKEN])


def password_in_context(home: Path) -> Way:
    return Way(USERS, {"user": USER, "password": PASSWORD}, [USER, PASSWORD])


def token_in_context(home: Path) -> Way:
    return Way(TOKENS, {"token": TOKEN}, [TOKEN])


def nkey(home: Path) -> Way:
    key = Key(nkeys.PREFIX_BYTE_USER)
    (home / "seed.nk").write_bytes(key.seed)
    config = f"authorization {{ users = [ {{ nkey: {key.public} }} ] }}\n"
    return Way(config, {"nkey": "~/seed.nk"}, [key.seed.decode()])


def credentials(home: Path) -> Way:
    operator = Operator()
    text = operator.credentials()
    (home / "user.creds").write_text(text)
    secrets = [line for line in text.splitlines() if len(line) > 50 or line.startswith("SU")]
    return Way(operator.config, {"creds": "~/user.creds"}, secrets)


def certificate_and_password(home: Path) -> Way:
    files = Certificates(home)
    key = Path(files.client["key"]).read_text().splitlines()[1:-1]
    login = f"{USER}:{quote(PASSWORD, safe='')}@"
    settings = {"ca": str(files.ca), **files.client, "login": login}
    return Way(files.config("verify: true") + USERS, settings, [USER, PASSWORD, *key])


WAYS = [
    *(password_in_url, token_in_url, password_in_context, token_in_context),
    *(nkey, credentials, certificate_and_password),
]


class Everything(logging.Handler):
    """All log records of the process, as a file of a service would have them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [self.format(record), repr(record.args), repr(vars(record).get("exc_info"))]

    def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)


@pytest.fixture
def everything() -> Iterator[Everything]:
    handler, root = Everything(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def check(shown: str, secrets: list[str]) -> None:
    """No secret is in a text."""
    assert [secret for secret in secrets if secret in shown] == [], shown


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_connection_logs_and_raises_without_secrets(
    home: Path, monkeypatch: pytest.MonkeyPatch, everything: Everything, way: Callable[[Path], Way]
) -> None:
    """Connected, listening, wrong password, server info, killed, reconnecting, drained, closed; with asyncio's debug."""
    login = way(home)
    shown: list[str] = []

    async def live() -> None:
        async with lightbus.create(service_name="worker", apis=[JobApi], timeout=5) as bus:
            await bus.job.wanted.listen_async(lambda **_: None, listener_name="one")
            await bus.job.wanted.fire_async(number=1)
            (session,) = bus._core.sessions.values()
            transport = session.transport
            assert isinstance(transport, JetStreamTransport)
            connection = transport._connection
            shown.extend(
                [
                    *map(repr, (bus, bus._core.settings, session, transport, connection, connection.address)),
                    *map(repr, (connection._client, connection._client._server_pool)),
                    *map(str, (connection._client._server_info, connection._client.server)),
                ]
            )
            server.kill()
            server._config = "authorization { user: another, password: another }\n"
            await asyncio.to_thread(server.start)
            await until(
                lambda: any(word in connection.why_down for word in ("uthorization", "TLS")),
                "it says why the server refuses it",
            )
            shown.extend([connection.why_down, str(lightbus.health(bus))])
            try:
                await bus.job.wanted.fire_async(number=2)
            except LightbusError as error:
                shown.append("".join(traceback.format_exception(error)) + repr(error))
            server.kill()
            server._config = login.config
            await asyncio.to_thread(server.start)
            await until(lambda: connection.is_up, "the connection is back")
            await bus.job.wanted.fire_async(number=3)

    async def refused() -> None:
        async with lightbus.create(service_name="worker", apis=[JobApi], timeout=BOUND) as bus:
            with pytest.raises(LightbusError) as caught:
                await bus.job.wanted.fire_async(number=4)
            error = caught.value
            shown.append("".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)))
            shown.append(str(lightbus.health(bus)))

    with NatsServer(config=login.config) as server:
        monkeypatch.setenv("NATS_CONTEXT", login.context(home, server))
        asyncio.run(live(), debug=True)
        server.kill()
        asyncio.run(refused(), debug=True)
    assert everything.has("disconnected from") and everything.has("connected again to")
    check("\n".join([*everything.lines, *shown]), login.secrets)


async def test_a_server_that_is_about_to_stop_is_named_without_secrets(everything: Everything) -> None:
    """The other servers were discovered: they get the login of the one that was named."""
    config = f"lame_duck_duration: 900s\nlame_duck_grace_period: 800s\n{USERS}"
    with cluster(config) as three:
        node = three.nodes["one"]
        url = f"nats://{USER}:{quote(PASSWORD, safe='')}@{node.url.removeprefix('nats://')}"
        async with lightbus.create(url=url, apis=[JobApi], timeout=BOUND) as bus:
            await bus.job.wanted.fire_async(number=1)
            node.signal(signal.SIGUSR2)
            await until(lambda: everything.has("is shutting down, moving to"), "it leaves the server")
            await until(lambda: everything.has("connected again to"), "it has found another server")
        node.kill()  # otherwise it would take its grace period
    check("\n".join(everything.lines), forms(USER, PASSWORD))


BUS = """
import logging
logging.getLogger("lightbus").setLevel(logging.DEBUG)

def welcome(username, email):
    raise ValueError("cannot greet " + username)

def before_server_start():
    bus.auth.user_created.listen(welcome, listener_name="welcome", retries=0)
    bus.auth.user_created.fire(username="ada", email="a@b")
"""


@pytest.mark.timeout(300)
def test_the_commands_print_no_secrets(home: Path) -> None:
    login = password_in_url(home)
    wrong = forms(USER, WRONG)
    output: list[str] = []
    folder = home / "project"
    folder.mkdir()
    (folder / "bus.py").write_text(service_code("t", BUS))
    environment = clean_environment(home)

    def run(*arguments: str, **settings: str) -> Command:
        command = Command("lightbus", *arguments, folder=folder, environment={**environment, **settings})
        started.append(command)
        return command

    def ended(*arguments: str, **settings: str) -> str:
        command = run(*arguments, **settings)
        command.end()
        output.append(command.output)
        return command.output

    started: list[Command] = []
    try:
        with NatsServer(config=login.config) as server:
            url = login.address(server)
            wrong_url = url.replace(quote(PASSWORD, safe=""), WRONG)
            environment["NATS_URL"] = url
            assert "to create" in ended("plan")
            assert "created" in ended("apply", "--yes")
            for command in ("run", "dev"):
                service = run(command)
                service.wait_for("goes to the dead letters")
                service.signal(signal.SIGTERM)
                service.end()
                output.append(service.output)
            commands = (
                ("status",),
                ("inspect",),
                ("plan",),
                ("dead-letters", "list"),
                ("dead-letters", "show", "1"),
            )
            for arguments in commands:
                options = ("--prefix", "t") if arguments != ("plan",) else ()
                assert "error: " not in ended(*arguments, *options)
                ended(*arguments, *options, "--url", url)
                assert "error: " in ended(*arguments, *options, "--url", wrong_url)
            nobody = f"nats://{USER}:{WRONG}@127.0.0.1:{free_port()}"
            for address in (wrong_url, url.replace("%5B", "["), nobody):
                assert "error: " in ended("status", NATS_URL=address)
                assert "error: " in ended("plan", "--format", "json", NATS_URL=address)
            for command in ("run", "apply", "status"):
                assert "Usage" in ended(command, "--help")
            assert "Authorization Violation" in ended("run", NATS_URL=wrong_url)
            assert "in a password as %23" in ended("run", NATS_URL=url.replace("%2F", "/"))
            (folder / "bus.py").write_text(service_code("t", BUS, url=wrong_url))
            assert "Authorization Violation" in ended("run")
            (folder / "bus.py").write_text(
                f"import lightbus\nbus = lightbus.create(url={url!r}, service_name='?')\n"
            )
            assert "service_name" in ended("run")
            (folder / "bus.py").write_text(
                service_code("t", BUS.replace("raise", f"url = {url!r}; raise"), url=url)
            )
            service = run("run")
            service.wait_for("cannot greet")
            service.signal(signal.SIGTERM)
            service.end()
            output.append(service.output)
            ended("dead-letters", "show", "2", "--prefix", "t")
    finally:
        for each in started:
            each.clean_up()
    check("\n".join(output), [*login.secrets, *wrong])
