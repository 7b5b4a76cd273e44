"""Errors survive `pickle` and `copy`, as between processes; every class of the library is tried.

Other exceptions are signals within one of its folders, and reach nobody."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import pytest

import lightbus
import lightbus_gen
from lightbus.errors import InvalidEventArguments, LightbusError, Problem, PublishFailed, PublishUnknown


def _classes() -> Iterator[type[LightbusError]]:
    for package in (lightbus, lightbus_gen):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                for value in vars(importlib.import_module(module.name)).values():
                    is_error = isinstance(value, type) and issubclass(value, LightbusError)
                    if is_error and value.__module__ == module.name:
                        yield value


CLASSES = sorted(_classes(), key=lambda cls: (cls.__module__, cls.__qualname__))
EVENT = lightbus.EventMessage("id", "auth", "user_created", {"name": "ada"}, datetime.now(UTC), "/x")
ARGUMENTS: dict[str, Any] = {
    "problems": [Problem("a.b", "is missing", "missing")],
    "messages": [EVENT],
    "failed": [(EVENT, PublishFailed("auth.user_created", "id", "because"))],
    "known": ["shop", "auth"],
    "event_id": "id",
    "size": 5,
    "limit": 4,
    "port": 4222,
    "code": 400,
    "err_code": 10071,
    "timeout": 1.5,
}


def _made(cls: type[LightbusError]) -> LightbusError:
    """Return an error with an argument for each parameter of its class."""
    if inspect.isfunction(cls.__init__):
        positional: list[Any] = []
        by_name: dict[str, Any] = {}
        for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:
            value = ARGUMENTS.get(name, f"the {name}")
            if parameter.kind is parameter.KEYWORD_ONLY:
                by_name[name] = value
            else:
                positional.append(value)
        error = cls(*positional, **by_name)
    else:
        error = cls("a text")
    error.add_note("a note")
    return error


def _facts(error: BaseException) -> tuple[object, ...]:
    fields = {
        name: [str(member) for member in value] if isinstance(value, (list, tuple)) else value
        for name, value in vars(error).items()
    }
    return type(error), str(error), str(error.args), fields


WAYS: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(lambda error, number=number: pickle.loads(pickle.dumps(error, number)) for number in range(6)),
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_every_error_survives_pickle_and_copy(cls: type[LightbusError]) -> None:
    error = _made(cls)
    for way in WAYS:
        assert _facts(way(error)) == _facts(error)


def test_so_does_what_was_set_later() -> None:
    error = PublishUnknown("auth.user_created", "id", 1.0, "because")
    error.message = EVENT
    assert pickle.loads(pickle.dumps(error)).message == EVENT
    assert "message" not in vars(pickle.loads(pickle.dumps(PublishUnknown("a.b", "id", 1.0, "because"))))


class OfAUser(LightbusError):
    """Such as the subclasses that services write."""

    def __init__(self, *, order: int) -> None:
        self.order = order
        super().__init__(f"order {order}")


def _fails() -> None:
    raise InvalidEventArguments("auth", "user_created", [Problem("", "no", "type")], signature="fire()")


def _fails_in_a_service() -> None:
    raise OfAUser(order=5)


def test_a_process_pool_delivers_them() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(InvalidEventArguments, match="was not fired"):
            pool.submit(_fails).result(60)
        with pytest.raises(OfAUser, match="order 5") as caught:
            pool.submit(_fails_in_a_service).result(60)
    assert caught.value.order == 5
