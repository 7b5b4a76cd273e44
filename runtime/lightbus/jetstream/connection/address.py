"""The server's address and our credentials: argument, `NATS_URL`, NATS CLI context, or the default.

Contexts follow ADR-21 of nats-io/nats-architecture-and-design: JSON files written by `nats context`.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from lightbus.errors import UsageError
from lightbus.foreign import keep_hidden
from lightbus.jetstream.connection.credentials import Credentials, CredentialsError, check_seed

DEFAULT_URL = "nats://127.0.0.1:4222"
URL_IN_CODE = "the url given to lightbus.create()"
_SCHEMES = ("nats", "tls", "ws", "wss")
_UNENCODED = re.compile(r"[\[\]/?#@\s\x00-\x20\x7f]|%(?![0-9A-Fa-f]{2})")
_NOT_A_PORT = re.compile(r"(?<!/):(?!\d+$|//|[^:]*\])[^:]*$")  # the rest of "user:password", without a host
_ENCODE = (
    "write # / ? @ , [ ] % and spaces in a password as %23 %2F %3F %40 %2C %5B %5D %25 %20.\n"
    "This asks for a password and prints it in that form:\n"
    """  python3 -c 'import getpass, urllib.parse; print(urllib.parse.quote(getpass.getpass(), safe=""))'\n"""
    "Or give the password in a NATS context, as it is: nats context add"
)
_PATHS = ("creds", "nkey", "ca", "cert", "key")  # settings of a context
_TEXTS = ("url", "user", "password", "token", "inbox_prefix", *_PATHS)
_UNSUPPORTED = ("nsc", "user_jwt", "jetstream_domain", "jetstream_api_prefix", "socks_proxy")


@dataclass(frozen=True, slots=True)
class Address:
    """How to reach the server.

    Attributes:
        servers: one URL or more, without user, password and token.
        origin: where the address came from, for messages.
        options: more keyword arguments of nats-py's `connect()`, such as credentials; never shown.
        tls_files: paths of `ca`, `cert` and `key` for a TLS context.
    """

    servers: tuple[str, ...]
    origin: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tls_files: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Show the address without queries, which may hold a token."""
        return f"Address({self.display!r}, {self.origin!r}, tls_files={self.tls_files!r})"

    @property
    def wants_tls(self) -> bool:
        """Whether the connection must be encrypted."""
        return bool(self.tls_files) or any(urlsplit(server).scheme == "tls" for server in self.servers)

    @property
    def user(self) -> str:
        """The name that we sign in with beside a password, "" without one."""
        return str(self.options.get("user", "")) if self.options.get("password") else ""

    @property
    def display(self) -> str:
        """The servers, as messages show them."""
        return ", ".join(map(_shown, self.servers))


def resolve(
    url: str | None, environment: Mapping[str, str] = os.environ, *, origin: str = URL_IN_CODE
) -> Address:
    """Find the server's address.

    Args:
        url: the user's argument, servers separated by commas.
        environment: read for `NATS_URL`, `NATS_CONTEXT`, `XDG_CONFIG_HOME` and `HOME`.
        origin: where `url` came from, for messages.

    Raises:
        UsageError: a URL or context cannot be used.
    """
    if url:
        return _from_url(url, origin)
    if from_environment := environment.get("NATS_URL"):
        return _from_url(from_environment, "NATS_URL")
    try:
        home = Path(environment.get("HOME") or "~").expanduser()
    except RuntimeError:  # this user has none, as in some containers; nor has it a context there
        home = Path(os.devnull)
    folder = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "nats"
    selected = folder / "context.txt"
    name = environment.get("NATS_CONTEXT") or _selected(selected)
    if name:
        return _from_context(name, folder / "context" / f"{name}.json", home)
    return Address((DEFAULT_URL,), "the default")


def _selected(path: Path) -> str:
    """Return the name of the NATS context in use, "" when none is."""
    try:
        name = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except OSError as error:
        raise UsageError(f"the selected NATS context cannot be read: {error.strerror} ({path})") from error
    except UnicodeDecodeError:
        name = "\0"
    if "\0" in name:
        raise UsageError(
            f"this file does not hold the name of a NATS context: {path}; write it with: nats context select"
        )
    return name


def _from_url(url: str, origin: str) -> Address:
    servers, login = _servers(url, origin)
    return Address(servers, origin, login)


def _from_context(name: str, path: Path, home: Path) -> Address:
    try:
        context = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise UsageError(f"NATS context {name!r} cannot be read: {error.strerror} ({path})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"NATS context {name!r} is not a JSON object: {error} ({path})") from error
    for key in _UNSUPPORTED:
        if context.get(key):
            raise UsageError(f"NATS context {name!r} sets {key!r}, which lightbus does not support ({path})")
    for key in _TEXTS:
        if not isinstance(value := context.get(key) or "", str) or "\0" in value:
            raise UsageError(
                f"NATS context {name!r} sets {key!r} to something that is not a string, or that has a null"
                f" character in it ({path})"
            )

    def file(key: str) -> str:
        value = context.get(key) or ""
        return str(home / value[2:]) if value.startswith("~/") else value

    servers, login = _servers(context.get("url") or DEFAULT_URL, f"NATS context {name!r}")
    options: dict[str, Any] = {}
    for key in ("user", "password", "token"):
        if context.get(key):
            options[key] = context[key]
    options = options or dict(login)
    if context.get("inbox_prefix"):
        options["inbox_prefix"] = context["inbox_prefix"]
    if context.get("tls_first"):
        options["tls_handshake_first"] = True
    files = {key: file(key) for key in _PATHS if file(key)}
    for key, value in files.items():
        if not os.access(value, os.R_OK):
            raise UsageError(f"NATS context {name!r} sets {key!r} to {value}, which cannot be read ({path})")
    for key in ("creds", "nkey"):
        if key in files:
            options |= _secrets(key, files.pop(key), f"NATS context {name!r} sets {key!r} to")
    return Address(servers, f"NATS context {name!r}", options, files)


def _secrets(key: str, path: str, origin: str) -> dict[str, Any]:
    """Return the options of `connect()` for a credentials file or a seed."""
    if importlib.util.find_spec("nkeys") is None:
        raise UsageError(f"{origin} {path}, which needs: pip install 'lightbus-nats[nkeys]'")
    credentials = Credentials(path)
    try:
        credentials.check() if key == "creds" else check_seed(path)
    except (OSError, CredentialsError) as error:
        raise UsageError(f"{origin} {path}, which cannot be used: {error}") from error
    if key == "nkey":
        return {"nkeys_seed": path}
    return {"user_jwt_cb": credentials.jwt, "signature_cb": credentials.sign}


def _servers(text: str, origin: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return the servers, and the user and password or the token that they share, as options of `connect()`."""
    keep_hidden(text)
    servers, logins = [], []
    for part in (part.strip() for part in text.split(",") if part.strip()):
        server, login = _server(part, origin, text)
        servers.append(server)
        logins.append(login)
    if not servers:
        raise UsageError(f"{origin} {text!r} names no server; write it like {DEFAULT_URL}")
    if any(login != logins[0] for login in logins):
        raise UsageError(
            f"{origin} gives its servers different logins, and a connection has the same for all; {_ENCODE}"
        )
    return tuple(servers), logins[0]


def _server(text: str, origin: str, whole: str) -> tuple[str, Mapping[str, str]]:
    """Return a server's URL without its login, and the login."""
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("nats", text)
    userinfo, _, place = rest.rpartition("@")
    login: list[str] = []
    try:
        parts = urlsplit(f"{scheme}://{place}")
        usable = scheme in _SCHEMES and bool(parts.hostname) and not parts.netloc.endswith(":")
        usable = usable and (parts.port is None or parts.port > 0)
        usable = usable and place.isprintable() and " " not in place and not _UNENCODED.search(userinfo)
        login = [unquote(part, errors="strict") for part in userinfo.split(":", 1) if userinfo]
    except ValueError:  # a port not from 0 to 65535, half a bracket, bytes that are not UTF-8
        usable = False
    if not usable:
        address = _NOT_A_PORT.sub(":...", _shown(text if "@" in text else whole))
        advice = f"; {_ENCODE}" if "@" in whole else ""
        raise UsageError(
            f"{origin} {address!r} is not the address of a NATS server; write it like {DEFAULT_URL}"
            f" ({', '.join(_SCHEMES)}){advice}"
        )
    options = ("user", "password") if len(login) == 2 else ("token",)
    return f"{scheme}://{place}", dict(zip(options, login, strict=False))


def _shown(address: str) -> str:
    """Return an address as messages show it: without user, password, token and query, even if it is not valid."""
    scheme, separator, _ = address.partition("://")
    prefix = f"{scheme}://" if separator and scheme.lower() in _SCHEMES else ""
    place = address.removeprefix(prefix).rpartition("@")[2]  # "#", "/" and "?" may be in a password
    if prefix.lower().startswith("ws"):
        return prefix + re.split("[?#]", place)[0]
    return prefix + re.split("[?#]|(?<!/)/(?!/)", place)[0]  # a password may follow a "/", by mistake
