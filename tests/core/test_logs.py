"""The library's logger: a handler that raises must not end the code that logs."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from lightbus.logs import log


class Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("disk full")


@pytest.fixture
def broken_handler() -> Iterator[None]:
    handler = Broken()
    log.logger.addHandler(handler)
    yield
    log.logger.removeHandler(handler)


@pytest.mark.usefixtures("broken_handler")
def test_a_handler_that_raises_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    log.warning("reconnecting")
    assert "disk full" in capsys.readouterr().err


@pytest.mark.usefixtures("broken_handler")
def test_nothing_is_raised_where_standard_error_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    log.warning("reconnecting")


def test_no_record_shows_a_login(caplog: pytest.LogCaptureFixture) -> None:
    text = "cannot reach nats://joe:s3cret-pw@host"
    try:
        raise ConnectionError(text)
    except ConnectionError as error:
        log.exception("failed: %s, %s", text, error)
    assert "nats://host" in caplog.text
    assert "joe" not in caplog.text and "s3cret" not in caplog.text
