"""Mistakes of users, each with the message of `lightbus`: what happened, where, and what to do.

In messages `<folder>` stands for the project and `<python>` for the interpreter. The code above a body, with
the API and the bus, is 16 lines long, so the body begins at line 17.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from tests.cli.kit import service_code

NOBODY = "nats://127.0.0.1:9"  # the discard port, which nobody serves


@dataclass(frozen=True)
class Mistake:
    """A project, the command, and its message.

    Attributes:
        files: the project's files by path.
        says: the whole output without log lines; for `code` 2 a part of it.
        arguments: the arguments of `lightbus`.
        settings: additional environment variables.
        code: the exit code; 2 is a mistake in the command line itself.
    """

    files: Mapping[str, str]
    says: str
    arguments: tuple[str, ...] = ("run",)
    settings: Mapping[str, str] = field(default_factory=dict)
    code: int = 1


def module(body: str, says: str, *, settings: Mapping[str, str] | None = None, **options: object) -> Mistake:
    """Return a mistake in the body of `bus.py`, below the API and the bus."""
    return Mistake({"bus.py": service_code("mistakes", body, **options)}, says, settings=settings or {})


WELCOME = "def welcome(username, email): ...\n"
LISTEN = 'bus.auth.user_created.listen(welcome, listener_name="welcome")\n'
HOOK = f"def before_server_start():\n    {LISTEN}"
ASYNC_HOOK = f"async def before_server_start():\n    await {LISTEN.replace('listen(', 'listen_async(')}"
SOON_HOOK = f"async def before_server_start():\n    {LISTEN}"

THE_SERVER = {
    "no server": module(
        WELCOME + HOOK,
        """
        error: cannot connect to NATS at nats://127.0.0.1:9: connection refused
        Is a server running there? The address comes from NATS_URL.
        Start one for development with: lightbus server   (or: nats-server -js)
        Point elsewhere with NATS_URL or lightbus.create(url=...).
        """,
        settings={"NATS_URL": NOBODY},
    ),
    "no server, at module level": module(
        WELCOME + LISTEN,
        """
        error: cannot connect to NATS at nats://127.0.0.1:9: connection refused
        Is a server running there? The address comes from the url given to lightbus.create().
        Start one for development with: lightbus server   (or: nats-server -js)
        Point elsewhere with NATS_URL or lightbus.create(url=...).
        """,
        url=NOBODY,
    ),
    "no server, in an async hook": module(
        WELCOME + SOON_HOOK,
        """
        error: listener 'mailer-welcome' failed: cannot connect to NATS at nats://127.0.0.1:9: connection refused
        Is a server running there? The address comes from NATS_URL.
        Start one for development with: lightbus server   (or: nats-server -js)
        Point elsewhere with NATS_URL or lightbus.create(url=...).
        """,
        settings={"NATS_URL": NOBODY},
    ),
    "no such host": module(
        WELCOME + ASYNC_HOOK,
        """
        error: cannot connect to NATS at nats://nowhere.invalid:4222: the host name cannot be resolved
        Is a server running there? The address comes from NATS_URL.
        Start one for development with: lightbus server   (or: nats-server -js)
        Point elsewhere with NATS_URL or lightbus.create(url=...).
        """,
        settings={"NATS_URL": "nats://nowhere.invalid:4222"},
    ),
    "not an address": module(
        WELCOME + HOOK,
        """
        error: NATS_URL 'http://127.0.0.1:4222' is not the address of a NATS server; write it like nats://127.0.0.1:4222 (nats, tls, ws, wss)
        """,
        settings={"NATS_URL": "http://127.0.0.1:4222"},
    ),
    "not a port": module(
        WELCOME + HOOK,
        """
        error: the url given to lightbus.create() 'nats://127.0.0.1:70000' is not the address of a NATS server; write it like nats://127.0.0.1:4222 (nats, tls, ws, wss)
        """,
        url="nats://127.0.0.1:70000",
    ),
}


def unknown(name: str, suggestion: str) -> Mistake:
    says = f"""
        error: there is no module '{name}'{suggestion} in <folder>, nor is it installed.
        Name the module that creates the bus: --bus my_service.bus   (or set LIGHTBUS_MODULE)
        """
    return Mistake({"mailer/bus.py": ""}, says, ("run", "--bus", name))


THE_NAME = {
    "no bus.py": unknown("bus", " (there is mailer.bus)"),
    "a misspelt module": unknown("mailr.bus", " (did you mean 'mailer.bus'?)"),
    "a module that is not there": unknown("orders.service", " (there is mailer.bus)"),
    "a path": Mistake(
        {},
        "error: 'mailer/bus.py' is not the name of a module; write: --bus mailer.bus",
        ("run", "--bus", "mailer/bus.py"),
    ),
    "a variable": Mistake(
        {},
        "error: 'mailer.bus:bus' is not the name of a module; write: --bus mailer.bus",
        ("run", "--bus", "mailer.bus:bus"),
    ),
    "an empty name": Mistake({}, "it is empty; give a value, or leave it out", ("run", "--bus", ""), code=2),
    "a folder": Mistake(
        {"mailer/bus.py": "", "mailer/admin.py": ""},
        """
        error: 'mailer' is a folder that holds no bus itself (<folder>/mailer).
        Name the module of it that creates the bus: --bus mailer.bus
        """,
        ("run", "--bus", "mailer"),
    ),
    "a package": Mistake(
        {"mailer/__init__.py": "", "mailer/main.py": ""},
        """
        error: 'mailer' is a folder that holds no bus itself (<folder>/mailer).
        Name the module of it that creates the bus: --bus mailer.main
        """,
        ("run", "--bus", "mailer"),
    ),
    "no bus in the module": Mistake(
        {"bus.py": ""},
        """
        error: module 'bus' (<folder>/bus.py) holds no bus.
        Write in it: bus = lightbus.create(...)
        """,
    ),
    "several buses": Mistake(
        {"bus.py": "import lightbus\none = lightbus.create()\ntwo = lightbus.create()\n"},
        """
        error: module 'bus' (<folder>/bus.py) holds several buses: one, two.
        Name the one to run: bus
        """,
    ),
}

THE_IMPORT = {
    "an exception": Mistake(
        {"bus.py": "import settings\n", "settings.py": "def rate():\n    return 1 / 0\n\nRATE = rate()\n"},
        """
        error: importing 'bus' raised ZeroDivisionError: division by zero
          bus.py:1: import settings
          settings.py:4: RATE = rate()
          settings.py:2 in rate: return 1 / 0
        Whole traceback: python -c "import bus"
        """,
    ),
    "an exception inside a library": Mistake(
        {"bus.py": "import json\n\nCONFIG = json.loads('{')\n"},
        """
        error: importing 'bus' raised JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
          bus.py:3: CONFIG = json.loads('{')
        Whole traceback: python -c "import bus"
        """,
    ),
    "an import of its own": Mistake(
        {"bus.py": "import lightbus\nimport nowhere_to_be_found\n"},
        """
        error: importing 'bus' raised ModuleNotFoundError: No module named 'nowhere_to_be_found'
          bus.py:2: import nowhere_to_be_found
        Is it installed for this Python? <python>
        Whole traceback: python -c "import bus"
        """,
    ),
    "syntax": Mistake(
        {"bus.py": "import settings\n", "settings.py": "\ndef broken(:\n"},
        """
        error: importing 'bus' raised SyntaxError: invalid syntax (settings.py, line 2)
          bus.py:1: import settings
          settings.py:2: def broken(:
        Whole traceback: python -c "import bus"
        """,
    ),
    "a deep recursion": Mistake(
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
    "an exit, which is the module's own": Mistake(
        {"bus.py": "raise SystemExit('set MAIL_HOST first')\n"}, "set MAIL_HOST first"
    ),
}


def definition(body: str, says: str) -> Mistake:
    return Mistake({"bus.py": "from lightbus import Api, Event\n" + dedent(body)}, says)


DEFINITIONS = {
    "a bad parameter": definition(
        """
        class Bad(Api):
            created = Event(parameters=("user name",))

            class Meta:
                name = "bad"
        """,
        """
        error: event bad.created, parameter 'user name': 'user name' is not a Python identifier
          bus.py:3: class Bad(Api):
        """,
    ),
    "an API without a name": definition(
        """
        class Bad(Api):
            created = Event()
        """,
        """
        error: API Bad: add the API's name to class Bad:
            class Meta:
                name = "..."
          bus.py:3: class Bad(Api):
        """,
    ),
    "an API defined twice": definition(
        """
        class One(Api):
            class Meta:
                name = "same"

        class Two(Api):
            class Meta:
                name = "same"
        """,
        """
        error: API same: is defined twice, by bus.One and by bus.Two. Rename one of them in its class Meta.
          bus.py:7: class Two(Api):
        """,
    ),
}


def raising(kind: str, error: str, says: str) -> Mistake:
    return module(
        f"""
        def connect():
            raise {error}

        {kind} before_server_start():
            connect()
        """,
        says,
    )


HOOKS = {
    "a hook that raises": raising(
        "def",
        'OSError("the database is away")',
        """
        error: bus.before_server_start() raised OSError: the database is away
          bus.py:21 in before_server_start: connect()
          bus.py:18 in connect: raise OSError("the database is away")
        Whole traceback: python -c "import bus as m; m.before_server_start()"
        """,
    ),
    "an async hook that raises": raising(
        "async def",
        'OSError("the database is away")',
        """
        error: bus.before_server_start() raised OSError: the database is away
          bus.py:21 in before_server_start: connect()
          bus.py:18 in connect: raise OSError("the database is away")
        Whole traceback: python -c "import asyncio, bus as m; asyncio.run(m.before_server_start())"
        """,
    ),
    "a hook that exits": raising(
        "def",
        'SystemExit("set MAIL_HOST first")',
        """
        error: bus.before_server_start() raised SystemExit: set MAIL_HOST first
          bus.py:21 in before_server_start: connect()
          bus.py:18 in connect: raise SystemExit("set MAIL_HOST first")
        Whole traceback: python -c "import bus as m; m.before_server_start()"
        """,
    ),
    "a hook that raises a long story": raising(
        "def",
        r'ValueError("\n".join(str(n) for n in range(1000)))',
        """
        error: bus.before_server_start() raised ValueError: 0
        1
        2
        3
        4
        5
          ... 993 more
        999
          bus.py:21 in before_server_start: connect()
          bus.py:18 in connect: raise ValueError("\\n".join(str(n) for n in range(1000)))
        Whole traceback: python -c "import bus as m; m.before_server_start()"
        """,
    ),
    "a hook that raises a group": module(
        """
        import asyncio

        async def connect():
            raise OSError("the database is away")

        async def before_server_start():
            async with asyncio.TaskGroup() as group:
                group.create_task(connect())
        """,
        """
        error: bus.before_server_start() raised OSError: the database is away
          bus.py:20 in connect: raise OSError("the database is away")
        Whole traceback: python -c "import asyncio, bus as m; asyncio.run(m.before_server_start())"
        """,
    ),
}

LISTENERS = {
    "no listeners": module(
        "",
        """
        error: module 'bus' sets up no listeners, so there is nothing to run.
        Call bus.<api>.<event>.listen(handler, listener_name=...) in before_server_start().
        """,
    ),
    "a handler that cannot take the event": module(
        "def welcome(user_name, email): ...\n" + HOOK,
        """
        error: welcome() cannot listen to auth.user_created:
          - it takes 'user_name', which the event does not have (did you mean 'username'?)
          - it does not take 'username' (add it, or **_: object)
        Write: def handler(username: str, email: str)
          bus.py:18 in before_server_start: bus.auth.user_created.listen(welcome, listener_name="welcome")
        """,
    ),
    "a handler that takes nothing, at module level": module(
        "def welcome(): ...\n" + LISTEN,
        """
        error: welcome() cannot listen to auth.user_created:
          - it does not take 'username' (add it, or **_: object)
          - it does not take 'email' (add it, or **_: object)
        Write: def handler(username: str, email: str)
          bus.py:17: bus.auth.user_created.listen(welcome, listener_name="welcome")
        """,
    ),
    "a listener name that is taken": module(
        WELCOME
        + LISTEN
        + HOOK.replace("user_created", "user_deleted").replace("welcome,", "lambda username: 0,"),
        """
        error: API 'auth' already has a listener named 'welcome' here (it listens to auth.user_created). Each listener_name is one durable with its own position: choose another name.
          bus.py:19 in before_server_start: bus.auth.user_deleted.listen(lambda username: 0, listener_name="welcome")
        """,
    ),
    "an unknown API": module(
        WELCOME + LISTEN.replace("auth", "auht"),
        """
        error: there is no API 'auht' (did you mean 'auth'?). Known APIs: auth.
          bus.py:17: bus.auht.user_created.listen(welcome, listener_name="welcome")
        """,
    ),
    "an unknown event": module(
        WELCOME + ASYNC_HOOK.replace("created", "create"),
        """
        error: API 'auth' has no event 'user_create' (did you mean 'user_created'?). Its events: user_created, user_deleted.
          bus.py:18 in before_server_start: await bus.auth.user_create.listen_async(welcome, listener_name="welcome")
        """,
    ),
    "wrong arguments of fire()": module(
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


def schema(text: str | None, what: str) -> Mistake:
    files = {"bus.py": 'import lightbus\nbus = lightbus.create(schemas="schemas")\n'}
    if text is not None:
        files["schemas/auth.json"] = text
    return Mistake(files, f'error: {what}\n  bus.py:2: bus = lightbus.create(schemas="schemas")')


def generated(number: int, what: str) -> Mistake:
    return Mistake(
        {
            "acme_bus/__init__.py": f"import lightbus\n\nlightbus.require_format({number})\n",
            "bus.py": "import lightbus\nfrom acme_bus import Bus\n\nbus = lightbus.create(Bus)\n",
        },
        f"""
        error: the generated package acme_bus: it is in format {number}, {what}
          bus.py:2: from acme_bus import Bus
          acme_bus/__init__.py:3: lightbus.require_format({number})
        """,
    )


SCHEMAS = {
    "a schema that is not JSON": schema(
        "{ events:",
        "schemas/auth.json:1:3: it is not JSON: Expecting property name enclosed in double quotes",
    ),
    "a schema of a newer format": schema(
        json.dumps({"lightbus": 99, "api": "auth", "events": {}}),
        "schemas/auth.json#/lightbus: is in format 99, this lightbus reads format 1; upgrade lightbus-nats,"
        " or export the document again with this version",
    ),
    "no schemas": schema(None, "schemas: no schema documents (*.json) are here"),
    "a generated package that is older": generated(
        0,
        "older than format 1 which this lightbus reads: generate the package again with the lightbus-gen of this"
        " version, or pin lightbus-nats lower",
    ),
    "a generated package that is newer": generated(
        99,
        "newer than format 1 which this lightbus reads: upgrade lightbus-nats here, or generate the package with"
        " the lightbus-gen of this version",
    ),
}

COMMAND_LINE = {
    "a port that is no number": Mistake({}, "'--port'", ("server", "--port", "many"), code=2),
    "a port out of range": Mistake(
        {}, "0 is not in the range 1<=x<=65535", ("server", "--port", "0"), code=2
    ),
    "an unknown option": Mistake(
        {}, "No such option '--buss'. Did you mean '--bus'?", ("run", "--buss", "x"), code=2
    ),
    "an unknown command": Mistake({}, "Did you mean 'run'?", ("rnu",), code=2),
    "a command of Lightbus 1.x": Mistake(
        {}, "lightbus-gen export my_service.bus:MyApi", ("dumpschema",), code=2
    ),
    "an option of Lightbus 1.x": Mistake(
        {},
        "Lightbus 1.x had the option '--config'. There is no config file: settings are arguments of lightbus.create().",
        ("run", "--config", "bus.yaml"),
        code=2,
    ),
    "two modules": Mistake(
        {},
        "it runs one module, not 2: a, b. Start a process for each",
        ("run", "--bus", "a", "--bus", "b"),
        code=2,
    ),
    "two modules to develop": Mistake(
        {},
        "it runs one module, not 2: a, b. Start a process for each",
        ("dev", "--bus", "a", "--bus", "b"),
        code=2,
    ),
    "a module without its option": Mistake({}, "Write: --bus mailer.bus", ("run", "mailer.bus"), code=2),
    "a module without its option, to develop": Mistake(
        {}, "Write: --bus mailer.bus", ("dev", "mailer.bus"), code=2
    ),
    "an invalid service name": Mistake(
        {},
        "error: 'my mailer' is not a valid --service-name; use letters, digits, '_' and '-'",
        ("run", "--service-name", "my mailer"),
    ),
}

MISTAKES = {
    **THE_SERVER,
    **THE_NAME,
    **THE_IMPORT,
    **DEFINITIONS,
    **HOOKS,
    **LISTENERS,
    **SCHEMAS,
    **COMMAND_LINE,
}
