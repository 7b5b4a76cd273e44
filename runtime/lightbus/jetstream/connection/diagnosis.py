"""Why a connection failed, for people to read. Pure."""

from __future__ import annotations

import re
import socket
import ssl

from lightbus import naming
from lightbus.foreign import escaped

# the first version that can create a consumer without changing an existing one; JetStream API level 0
_OLDEST = (2, 10)


def numbers(version: str) -> tuple[int, int]:
    """Return the major and minor number of a server's version, (0, 0) when it is unknown."""
    match = re.match(r"(\d{1,9})\.(\d{1,9})", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def too_old(version: str) -> str:
    """Return why a server's version is too old; "" when it is not, or is unknown."""
    if numbers(version) == (0, 0) or numbers(version) >= _OLDEST:
        return ""
    return f"it runs nats-server {version}, and the bus needs {'.'.join(map(str, _OLDEST))} or newer"


def is_final(error: BaseException) -> bool:
    """Whether a retry cannot help: wrong credentials, or a certificate that is not trusted."""
    text = str(error).lower()
    return isinstance(error, ssl.SSLError) or "authorization" in text or "authentication" in text


def reason(error: BaseException | None, timeout: float) -> str:
    """Return in a few words what went wrong.

    Args:
        error: the last error, None when nothing answered.
        timeout: seconds that were waited.
    """
    if error is None:
        return f"no answer within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    text = str(
        error.args[0] if len(error.args) == 1 else error
    )  # an SSLError with one argument shows a tuple
    return escaped(text.removeprefix("nats: ").strip("'\"")) or type(error).__name__


def advice(reason: str, origin: str) -> str:
    """Return what the user can do about it.

    Args:
        reason: what `reason()` returned.
        origin: where the address came from, such as `NATS_URL`.
    """
    text = reason.lower()
    if "authorization" in text or "authentication" in text:
        encoded = "" if origin.startswith("NATS context") else " In a URL they are percent-encoded."
        return f"Check the user, password, token or credentials in {origin}.{encoded}"
    if "certificate" in text or "tls" in text or "ssl" in text:
        return f"Check the TLS settings in {origin} and the server's certificate."
    return (
        f"Is a server running there? The address comes from {origin}.\n"
        "Start one for development with: lightbus server   (or: nats-server -js)\n"
        "Point elsewhere with NATS_URL or lightbus.create(url=...)."
    )


def remedy(action: str, subject: str, inbox_prefix: str, user: str) -> str:
    """Return what to do about a subject that the server denies.

    Args:
        action: "publish" or "subscription"; subscriptions are to inboxes.
        subject: the denied subject.
        inbox_prefix: first token of the inboxes of a service or, without a service name, of commands.
        user: the name we sign in with, "" when unknown.
    """
    service = inbox_prefix.removeprefix(naming.inbox_prefix("")).removeprefix("_")
    if action == "subscription":
        return _inbox_remedy(inbox_prefix, service, user)
    if subject.startswith(("$JS.API.STREAM.CREATE.", "$JS.API.CONSUMER.CREATE.")):
        return (
            f"Have the user {naming.ADMIN} create it: lightbus apply --bus MODULE."
            " Or grant it in the server's permissions."
        )
    if subject.startswith("$JS.API.") and not service:
        return f"Sign in as {naming.ADMIN}, the user for commands, or grant it in the server's permissions."
    fires = "" if subject.startswith("$") else " (--fires SERVICE:API adds the events of an API)"
    return (
        "Grant it in the server's permissions; this prints those that a service needs:"
        f" lightbus plan --format nats --bus MODULE{fires}"
    )


def _inbox_remedy(inbox_prefix: str, service: str, user: str) -> str:
    owner = f"the service {service!r}" if service else "commands, and of a bus without a service name,"
    needed = service or naming.ADMIN
    grant = f"allow this user to subscribe to '{inbox_prefix}.>'"
    whose = f"The inboxes of {owner} begin with {inbox_prefix!r}"
    if user == needed:
        return f"{whose}: {grant}."
    if naming.service_problem(user) is not None:  # no user of printed permissions, or unknown
        return f"{whose}, which `lightbus plan --format nats` allows the user {needed!r}: sign in as that one, or {grant}."
    allowed = f"`lightbus plan --format nats` allows the user {user!r} those that begin with"
    if user == naming.ADMIN:
        return f"{whose}, and {allowed} {naming.inbox_prefix('')!r}: sign in as {needed!r}, or {grant}."
    return (
        f"{whose}, and {allowed} {naming.inbox_prefix(user)!r}: sign in as {needed!r}, set service_name to"
        f" {user!r}, or {grant}."
    )
