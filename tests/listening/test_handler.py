"""Which handlers are accepted, how they are called, and the errors for the others."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from lightbus import Api, Event, EventMessage, InvalidListener, Parameter
from lightbus.listening.handler import handler_for
from lightbus.schema import EventContract, SchemaDocument

MESSAGE = EventMessage(
    "1", "auth", "user_created", {"username": "ada", "email": "a@b", "plan": "free"}, datetime.now(UTC), "/t"
)


@dataclass(frozen=True, kw_only=True)
class Payload:
    username: str
    email: str
    plan: str = "free"


@pytest.fixture
def contract() -> EventContract:
    class AuthApi(Api):
        user_created = Event(
            parameters=(
                Parameter("username", str),
                Parameter("email", str),
                Parameter("plan", str, default="free"),
            )
        )

        class Meta:
            name = "auth"

    return EventContract.of_event(AuthApi, AuthApi.api_events["user_created"])


class Service:
    def method(self, username: str, email: str, plan: str) -> object:
        return ("method", username)

    def __call__(self, event_message: EventMessage, username: str, **_: object) -> object:
        return ("call", event_message.id, username)


def keyword(username: str, email: str, plan: str) -> object:
    return (username, email, plan)


def subset(email: str, **_: object) -> object:
    return email


def message_first(event: EventMessage, username: str, email: str, plan: str) -> object:
    return (event.id, username)


def untyped_message_first(event_message, username, **kwargs):  # type: ignore[no-untyped-def]
    return (event_message.id, username, sorted(kwargs))


def payload_object(event: Payload) -> object:
    return event


def payload_and_more(event: Payload, **_: object) -> object:
    return event.email


def payload_named_like_a_parameter(username: Payload) -> object:
    return username.email


def message_alone(event: EventMessage) -> object:
    return event.id


@pytest.mark.parametrize(
    ("handler", "result"),
    [
        (keyword, ("ada", "a@b", "free")),
        (subset, "a@b"),
        (message_first, ("1", "ada")),
        (untyped_message_first, ("1", "ada", ["email", "plan"])),
        (payload_object, Payload(username="ada", email="a@b")),
        (payload_and_more, "a@b"),
        (payload_named_like_a_parameter, "a@b"),
        (lambda *args: args, (Payload(username="ada", email="a@b"),)),
        (lambda event, *_: event.email, "a@b"),
        (message_alone, "1"),
        (lambda username, **_: username, "ada"),
        (lambda event: event.email, "a@b"),
        (Service().method, ("method", "ada")),
        (Service(), ("call", "1", "ada")),
        (functools.partial(lambda prefix, username, **_: prefix + username, "hi "), "hi ada"),
        (functools.partial(keyword, plan="pro"), ("ada", "a@b", "free")),
        (lambda *, username, email, plan, extra=1: extra, 1),
        (dict, {"username": "ada", "email": "a@b", "plan": "free"}),
    ],
)
def test_every_form_is_called_as_its_signature_asks(
    contract: EventContract, handler: Callable[..., Any], result: object
) -> None:
    assert handler_for(handler, contract, Payload)(MESSAGE) == result


def test_without_a_generated_class_the_one_argument_is_the_message(contract: EventContract) -> None:
    assert handler_for(lambda event: event, contract)(MESSAGE) is MESSAGE


async def test_async_handlers_are_recognised(contract: EventContract) -> None:
    async def handler(username: str, **_: object) -> str:
        return username

    class Callable_:
        async def __call__(self, username: str, **_: object) -> str:
            return username

    for function in (handler, functools.partial(handler), Callable_()):
        adapted = handler_for(function, contract)
        assert adapted.is_async
        result = adapted(MESSAGE)
        assert inspect.isawaitable(result) and await result == "ada"
    assert not handler_for(keyword, contract).is_async


def a_generator(username: str, **_: object) -> Iterator[str]:
    yield username


async def an_async_generator(username: str, **_: object) -> AsyncIterator[str]:
    yield username


@pytest.mark.parametrize(
    ("handler", "problems"),
    [
        (
            lambda username, new_email, plan: None,
            [
                "it takes 'new_email', which the event does not have (did you mean 'email'?)",
                "it does not take 'email'",
            ],
        ),
        (lambda username, email: None, ["it does not take 'plan' (add it, or **_: object)"]),
        (lambda event, username, extra, **_: None, ["it takes 'extra', which the event does not have"]),
        (lambda user_name, email, plan: None, ["'user_name'", "did you mean 'username'"]),
        (lambda username, email, /, **_: None, ["'username' is positional-only"]),
        (lambda: None, ["it does not take 'username'", "it does not take 'email'"]),
        (functools.partial(keyword, "ada", "x"), ["it does not take 'username'", "it does not take 'email'"]),
        ("not a function", ["it is not callable"]),
        (a_generator, ["it is a generator, so calling it would not run it"]),
        (an_async_generator, ["it is a generator"]),
    ],
)
def test_what_cannot_be_called_is_refused_with_the_signature_to_write(
    contract: EventContract, handler: Any, problems: list[str]
) -> None:
    with pytest.raises(InvalidListener) as caught:
        handler_for(handler, contract, Payload)
    text = str(caught.value)
    for problem in problems:
        assert problem in text
    assert "cannot listen to auth.user_created" in text
    assert "Write: def handler(username: str, email: str, plan: str)" in text


def misspelt_first(usrname: str) -> None: ...


def misspelt_among_others(usrname: str, **_: object) -> None: ...


def of_another_type(event: dict[str, object]) -> None: ...


@pytest.mark.parametrize("handler", [misspelt_first, misspelt_among_others, of_another_type])
@pytest.mark.parametrize("payload", [Payload, None])
def test_a_first_parameter_of_another_type_is_taken_for_neither_message_nor_payload(
    contract: EventContract, handler: Any, payload: Any
) -> None:
    with pytest.raises(InvalidListener, match="which the event does not have"):
        handler_for(handler, contract, payload)


class Named(Protocol):
    username: str


def any_message(what: Any) -> str:
    return type(what).__name__


def any_object(what: object) -> str:
    return type(what).__name__


def some_payload(what: Payload | None) -> str:
    return type(what).__name__


def whatever_is_named(what: Named) -> str:
    return type(what).__name__


@pytest.mark.parametrize("handler", [any_message, any_object, some_payload, whatever_is_named])
def test_a_first_parameter_that_admits_the_payload_gets_it(contract: EventContract, handler: Any) -> None:
    assert handler_for(handler, contract, Payload)(MESSAGE) == "Payload"


def test_an_optional_parameter_needs_a_default_in_the_handler() -> None:
    from lightbus.schema import SchemaDocument

    document = SchemaDocument.parse(
        b'{"$schema": "https://json-schema.org/draft/2020-12/schema", "lightbus": 1, "api": "auth", "events": '
        b'{"left": {"parameters": {"type": "object", "properties": {"reason": {"type": "string"}}}}}}',
        source="schemas/auth.json",
    )
    with pytest.raises(InvalidListener, match="'reason' is optional in the event, so it needs a default"):
        handler_for(lambda reason: None, document.contract("left"))
    assert handler_for(lambda reason=None: reason, document.contract("left"))


def test_an_undeclared_property_called_as_the_parameter_for_the_message() -> None:
    schema = {
        "type": "object",
        "properties": {"username": {"type": "string"}},
        "required": ["username"],
        "additionalProperties": True,
    }
    document = {"lightbus": 1, "api": "auth", "events": {"user_created": {"parameters": schema}}}
    contract = SchemaDocument(document, "auth.json").contract("user_created")
    kwargs = contract.decode({"username": "ada", "event": 1, "event_": 2})
    message = EventMessage("1", "auth", "user_created", kwargs, datetime.now(UTC), "/t")

    def handler(event: EventMessage, username: str, **more: object) -> object:
        return event.id, username, more

    assert handler_for(handler, contract)(message) == ("1", "ada", {"event_": 2})


class TestAValueByPosition:
    """A handler that takes any keyword, for an event that has a value of a name that is given by position."""

    @pytest.fixture
    def named_event(self) -> EventContract:
        properties = {"event": {"type": "string"}, "n": {"type": "integer"}}
        parameters = {"type": "object", "properties": properties, "required": ["event", "n"]}
        document = {"lightbus": 1, "api": "shop", "events": {"sold": {"parameters": parameters}}}
        return SchemaDocument(document, "shop.json").contract("sold")

    def test_is_refused_where_the_call_would_fail(self, named_event: EventContract) -> None:
        def message_first(event: EventMessage, **_: object) -> None: ...

        def with_number(event: EventMessage, n: int, **_: object) -> None: ...

        def bound(n: int, **_: object) -> None: ...

        for function in (message_first, with_number, functools.partial(bound, 1)):
            with pytest.raises(
                InvalidListener, match="has a value by position already; make it positional-only"
            ):
                handler_for(function, named_event)

    def test_is_called_where_it_is_positional_only(self, named_event: EventContract) -> None:
        def message_first(event: EventMessage, /, **values: object) -> object:
            return event.id, values

        def bound(n: int, /, **values: object) -> object:
            return n, values

        values = {"event": "launch", "n": 1}
        message = EventMessage("1", "shop", "sold", values, datetime.now(UTC), "/t")
        assert handler_for(message_first, named_event)(message) == ("1", values)
        assert handler_for(functools.partial(bound, 7), named_event)(message) == (7, values)
