"""Reasons and advice of failed connections are sentences, whatever nats-py, asyncio or `ssl` raised."""

from __future__ import annotations

import ast
import socket
import ssl

import nats.errors
import pytest

from lightbus.jetstream.connection import diagnosis
from tests.conftest import ROOT

PLAN = "lightbus plan --format nats"
OWN = f"The inboxes of the service 'mailer' begin with '_INBOX_mailer', and `{PLAN}` allows the user"
GRANT = "allow this user to subscribe to '_INBOX_mailer.>'."
COMMANDS = "The inboxes of commands, and of a bus without a service name, begin with '_INBOX'"
REMEDIES = [
    (
        *("subscription", "_INBOX_mailer.x.*", "_INBOX_mailer", "web"),
        f"{OWN} 'web' those that begin with '_INBOX_web': sign in as 'mailer', set service_name to 'web', or {GRANT}",
    ),
    (
        *("subscription", "_INBOX_mailer.x.*", "_INBOX_mailer", "lightbus-admin"),
        f"{OWN} 'lightbus-admin' those that begin with '_INBOX': sign in as 'mailer', or {GRANT}",
    ),
    (
        *("subscription", "_INBOX_mailer.x.*", "_INBOX_mailer", "mailer"),
        f"The inboxes of the service 'mailer' begin with '_INBOX_mailer': {GRANT}",
    ),
    (
        *("subscription", "_INBOX_mailer.x.*", "_INBOX_mailer", ""),
        "The inboxes of the service 'mailer' begin with '_INBOX_mailer',"
        f" which `{PLAN}` allows the user 'mailer': sign in as that one, or {GRANT}",
    ),
    (
        *("subscription", "_INBOX.x.*", "_INBOX", "not.a.service"),
        f"{COMMANDS}, which `{PLAN}` allows the user 'lightbus-admin': sign in as that one, or allow this user to"
        " subscribe to '_INBOX.>'.",
    ),
    (
        *("publish", "lightbus.auth.user_created", "_INBOX_web", "web"),
        "Grant it in the server's permissions; this prints those that a service needs:"
        f" {PLAN} --bus MODULE (--fires SERVICE:API adds the events of an API)",
    ),
    (
        *("publish", "$JS.API.CONSUMER.MSG.NEXT.lightbus-auth.mailer-welcome", "_INBOX_web", "web"),
        f"Grant it in the server's permissions; this prints those that a service needs: {PLAN} --bus MODULE",
    ),
    (
        *("publish", "$JS.API.STREAM.CREATE.lightbus-auth", "_INBOX_web", "web"),
        "Have the user lightbus-admin create it: lightbus apply --bus MODULE. Or grant it in the server's permissions.",
    ),
    (
        *("publish", "$JS.API.STREAM.LIST", "_INBOX", "web"),
        "Sign in as lightbus-admin, the user for commands, or grant it in the server's permissions.",
    ),
]


@pytest.mark.parametrize(("action", "subject", "inbox_prefix", "user", "expected"), REMEDIES)
def test_what_to_do_about_a_denied_subject(
    action: str, subject: str, inbox_prefix: str, user: str, expected: str
) -> None:
    assert diagnosis.remedy(action, subject, inbox_prefix, user) == expected


ERRORS = [
    ssl.SSLError("TLS was asked for"),
    ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
    ssl.SSLCertVerificationError(1, "certificate verify failed"),
    socket.gaierror(-2, "Name or service not known"),
    ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 4222)"),
    ConnectionResetError(),
    TimeoutError(),
    OSError("Multiple exceptions"),
    KeyError("nonce"),
    nats.errors.Error("nats: 'Authorization Violation'"),
    nats.errors.AuthorizationError(),
    nats.errors.Error("nats: \x1b[31mforged\n12:00:00 ready"),
    None,
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_reason_is_one_line_of_words(error: Exception | None) -> None:
    reason = diagnosis.reason(error, 5.0)
    assert reason and reason.isprintable()
    assert reason[0] not in "('\""
    assert isinstance(diagnosis.advice(reason, "NATS_URL"), str)


def test_no_error_of_ours_shows_a_tuple() -> None:
    """The text of an `SSLError` with one argument is a tuple, and a stray comma makes one of any error's."""
    wrong = []
    for path in [*ROOT.glob("runtime/**/*.py"), *ROOT.glob("codegen/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
                continue
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            arguments = node.exc.args
            if any(isinstance(argument, ast.Tuple) for argument in arguments) or (
                name == "SSLError" and len(arguments) == 1
            ):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def test_a_version_of_any_length_is_read() -> None:
    assert diagnosis.too_old("9" * 5000 + ".1") == ""
