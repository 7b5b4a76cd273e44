"""A connection to JetStream: send messages, make requests, and call the JetStream API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any

import msgspec
import nats.errors

from lightbus.errors import ConnectionFailed, JetStreamUnavailable, PermissionDenied, TransportError
from lightbus.foreign import escaped
from lightbus.jetstream.connection import diagnosis
from lightbus.jetstream.connection.client import bounded
from lightbus.jetstream.connection.supervised import FLUSH_TIMEOUT, Supervised
from lightbus.logs import log

_API_TIMEOUT = 5.0  # seconds for one JetStream API request
_NO_RESPONDERS_RETRIES = 2  # a leader election answers 503 for a moment (ADR-22)
_NO_RESPONDERS_WAIT = 0.25  # seconds between them


class ApiError(TransportError):
    """The JetStream API refused a request.

    Attributes:
        code: an HTTP-like code. err_code: the server's own number. description: its text.
    """

    def __init__(self, code: int, err_code: int, description: str) -> None:
        self.code, self.err_code, self.description = code, err_code, description
        super().__init__(f"{escaped(str(description))} (code {code}, error {err_code})")


class NoResponders(TransportError):
    """Nobody listens on the subject of a request."""


class Connection(Supervised):
    """A connection to JetStream; see `Supervised` for its lifetime."""

    _is_deaf_to_answers = False  # whether the server denies us the answers to requests

    async def connect(self) -> None:
        """Connect and check that JetStream answers.

        Raises:
            ConnectionFailed, JetStreamUnavailable: with advice.
        """
        await self.open()
        if reason := diagnosis.too_old(self._client._server_info.get("version", "")):
            raise ConnectionFailed(self.address.display, reason, "Upgrade the server.")
        self.when_denied(self._note_denial)
        self.when_down(self._forget_denial)
        try:
            await self.api("INFO")
        except NoResponders:
            raise JetStreamUnavailable(self.address.display) from None
        except ApiError as error:
            if error.err_code in (10039, 10076):  # not enabled for the account, not enabled
                raise JetStreamUnavailable(self.address.display) from None
            raise
        except TransportError:
            log.debug("the user may not ask for JetStream's account information", exc_info=True)

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version of the server, (0, 0) when it is unknown."""
        return diagnosis.numbers(self._client._server_info.get("version", ""))

    @property
    def max_payload(self) -> int:
        """The largest message the server accepts, in bytes, headers included."""
        return self._client.max_payload

    def new_inbox(self) -> str:
        """Return a fresh reply subject within this connection's permissions."""
        return self._client.new_inbox()

    def denied(self, action: str, subject: str) -> PermissionDenied:
        """Return the error for an action, "publish" or "subscription", that the server denies, with advice."""
        advice = diagnosis.remedy(action, subject, self._inbox_prefix, self.address.user)
        if action == "subscription" and "inbox_prefix" in self.address.options:
            advice = f"The inbox_prefix of {self.address.origin} must be one that this user may subscribe to."
        doing = "publishing to" if action == "publish" else "subscribing to"
        return PermissionDenied(subject, doing, self.address.display, advice)

    def _note_denial(self, action: str, subject: str) -> None:
        """Record that answers cannot be received: the server says so once, and not for each request."""
        if (action, subject) == ("subscription", self._client.answers.lower()):
            self._is_deaf_to_answers = True

    def _forget_denial(self) -> None:
        """Assume that answers can be received: the next connection may have other permissions."""
        self._is_deaf_to_answers = False

    def send(self, subject: str, body: bytes = b"", *, reply: str = "", header: bytes = b"") -> None:
        """Send a message without waiting.

        Args:
            subject, reply: literal subjects.
            header: its header block.

        Raises:
            TransportError: the connection is down, so nothing was sent.
        """
        if not self.is_up:
            raise TransportError(self.why_down)
        self._client.send(subject, reply, header, body)

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that the sender should call `room()`."""
        return self._client.is_full

    async def room(self) -> None:
        """Wait for a limited time until sent messages are written."""
        await bounded(self._client.room(), FLUSH_TIMEOUT)

    async def processed(self) -> None:
        """Wait for a limited time until the server has processed what was sent, and reported what it denies."""
        if not await bounded(self._client.flush(), _API_TIMEOUT) and not self.closing:
            await self._client.force_reconnect()  # a late PONG would end nats-py's read loop

    async def request(self, subject: str, body: bytes, timeout: float) -> bytes:
        """Send a request and return the answer's body.

        Waits for a connection that is down.

        Raises:
            NoResponders: nobody listens there.
            PermissionDenied: this user may not publish there, or may not receive answers.
            TransportError: no answer in time, or no connection.
        """
        if not await self.ready(timeout):
            raise TransportError(self.why_down)
        if self._is_deaf_to_answers:
            raise self.denied("subscription", self._client.answers)
        ended = asyncio.get_running_loop().create_future()

        def on_denied(action: str, denied_subject: str) -> None:
            for expected in (("publish", subject), ("subscription", self._client.answers)):
                if (action, denied_subject) == (expected[0], expected[1].lower()) and not ended.done():
                    ended.set_exception(self.denied(*expected))

        def on_down() -> None:
            if self.closing and not ended.done():  # nats-py would wait for the answer until the timeout
                ended.set_exception(TransportError(f"request on {subject}: the connection was closed"))

        self.when_denied(on_denied)
        self.when_down(on_down)
        answering = asyncio.ensure_future(self._client.request(subject, body, timeout=timeout))
        try:
            await asyncio.wait({answering, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
            answer = answering.result()
        except nats.errors.NoRespondersError as error:
            raise NoResponders(f"nobody answers on {subject}") from error
        except TimeoutError as error:
            raise TransportError(f"no answer on {subject} within {timeout:g} s") from error
        except (nats.errors.Error, OSError) as error:
            raise TransportError(f"request on {subject}: {error}") from error
        finally:
            self.forget(on_denied, on_down)
            if not answering.done():
                answering.cancel()
                await asyncio.wait({answering}, timeout=1.0)  # nats-py may swallow a cancellation
        return answer.data

    async def api(self, operation: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the JetStream API, such as `STREAM.INFO.lightbus-auth`, in raw JSON.

        Raises:
            ApiError: the server refused. NoResponders: JetStream does not answer. TransportError: no answer.
        """
        payload = msgspec.json.encode(body) if body is not None else b""
        raw = await self._ask(f"$JS.API.{operation}", payload)
        try:
            answer = msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise TransportError(f"the answer on $JS.API.{operation} cannot be read: {error}") from error
        if isinstance(refusal := answer.get("error"), dict):
            raise ApiError(refusal.get("code", 0), refusal.get("err_code", 0), refusal.get("description", ""))
        return answer

    async def lookup(
        self, operation: str, body: dict[str, Any] | None = None, *, absent: Collection[int]
    ) -> dict[str, Any] | None:
        """Call the JetStream API as `api` does; None when the server answers with one of the `absent` error codes."""
        try:
            return await self.api(operation, body)
        except ApiError as error:
            if error.err_code not in absent:
                raise
            return None

    async def _ask(self, subject: str, payload: bytes) -> bytes:
        """Send a request, and retry for a moment while nobody answers."""
        for _ in range(_NO_RESPONDERS_RETRIES):
            with contextlib.suppress(NoResponders):
                return await self.request(subject, payload, _API_TIMEOUT)
            await asyncio.sleep(_NO_RESPONDERS_WAIT)
        return await self.request(subject, payload, _API_TIMEOUT)
