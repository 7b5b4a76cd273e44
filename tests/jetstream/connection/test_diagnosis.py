"""Reasons and advice of failed connections are sentences, whatever nats-py, asyncio or `ssl` raised."""

from __future__ import annotations

import ast
import socket
import ssl

import nats.errors
import pytest

from lightbus.jetstream.connection import diagnosis
from tests.conftest import ROOT

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
