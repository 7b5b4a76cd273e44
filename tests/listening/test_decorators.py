"""Handlers in decorators: with functools.wraps they are checked; without, the first event says what is wrong."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

import lightbus
from lightbus import EventMessage, ListenerFailed, OnError
from tests.conftest import Records
from tests.faults.waiting import BOUND, until

pytestmark = pytest.mark.usefixtures("job_api")

Function = Callable[..., Any]


def bare(function: Function) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def bare_async(function: Function) -> Function:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


def keywords_only(function: Function) -> Function:
    def wrapper(**kwargs: Any) -> Any:
        return function(**kwargs)

    return wrapper


def plain(name: str) -> None: ...
async def plain_async(name: str) -> None: ...
def with_message(event: EventMessage, name: str) -> None: ...


@pytest.mark.parametrize(
    "handler",
    [
        bare(plain),
        bare(bare(plain)),
        bare_async(plain_async),
        bare(plain_async),
        keywords_only(with_message),
        functools.partial(bare(plain)),
    ],
    ids=["sync", "twice", "async", "sync around async", "keywords only", "partial"],
)
async def test_a_decorator_that_hides_the_signature_is_named_at_the_first_event(
    memory_url: str, handler: Function, records: Records
) -> None:
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.job.wanted.listen_async(handler, listener_name="l")
        await bus.job.wanted.fire_async(name="ada")
        await until(lambda: bool(records.seen), "it fails")
    [text] = records.seen
    assert "goes to the dead letters" in text
    assert "wrapper() cannot listen to job.wanted" in text
    assert "put @functools.wraps(function) on the decorator's wrapper" in text


async def test_with_shutdown_the_listener_fails_with_that(memory_url: str) -> None:
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.job.wanted.listen_async(bare(plain), listener_name="l", on_error=OnError.SHUTDOWN)
        await bus.job.wanted.fire_async(name="ada")
        with pytest.raises(ListenerFailed, match=r"functools\.wraps"):
            await bus.wait_async()


def calls_wrongly(*args: Any, **kwargs: Any) -> None:
    inside()


def inside() -> None:
    plain()  # type: ignore[call-arg]


def raises_a_type_error(*args: Any, **kwargs: Any) -> None:
    raise TypeError("5 is no name")


def calls_a_wrapper(name: str) -> None:
    bare(plain)(1, 2)


@pytest.mark.parametrize("handler", [calls_wrongly, raises_a_type_error, calls_a_wrapper])
async def test_other_type_errors_are_failures_like_any_other(
    memory_url: str, handler: Function, records: Records
) -> None:
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.job.wanted.listen_async(handler, listener_name="l")
        await bus.job.wanted.fire_async(name="ada")
        await until(lambda: bool(records.seen), "it fails")
    assert "failed on attempt 1, next try" in records.seen[0]
    assert "wraps" not in records.seen[0]


async def test_wrappers_that_fit_are_called(memory_url: str) -> None:
    names: list[str] = []

    def note(name: str, event: EventMessage | None = None) -> None:
        names.append(name)

    def note_with_message(event: EventMessage, name: str) -> None:
        names.append(name)

    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        for number, handler in enumerate(
            [bare(note_with_message), keywords_only(note), functools.wraps(note)(bare(note))]
        ):
            await bus.job.wanted.listen_async(handler, listener_name=f"l{number}")
        await bus.job.wanted.fire_async(name="ada")
        await until(lambda: len(names) == 3, "all are called")
