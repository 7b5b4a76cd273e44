"""No grant of a service covers what belongs to another, whatever their names; no two users share a password variable."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lightbus import UsageError, naming
from lightbus.jetstream.streams.permissions import Service, configuration, grants, password_variable
from lightbus.naming import ADMIN
from lightbus.transport import Consumer

# Names from few characters, so that they are prefixes of each other, look like streams, and collide
SERVICE_NAMES = st.text("aA1-_", min_size=1, max_size=4) | st.sampled_from(("a-a", "a-dead", ADMIN))
PREFIXES = st.text("ab-", min_size=1, max_size=3) | st.sampled_from(
    ("a-dead-letters", "a-dead-letters-replays", "_INBOX", "_INBOX_a")
)
APIS = st.sampled_from(
    ("a", "b", "a.a", "a_a", "a.b", "letters", "dead", "a.dead.letters", "letters.replays")
)
LISTENERS = st.sampled_from(("a", "b", "a_a", "letters"))


@st.composite
def services(draw: st.DrawFn) -> Service:
    name = draw(SERVICE_NAMES)
    pairs = draw(st.lists(st.tuples(APIS, LISTENERS), max_size=2, unique=True))
    consumers = tuple(Consumer(api, "event", naming.durable(name, listener)) for api, listener in pairs)
    return Service(name, draw(PREFIXES), tuple(draw(st.sets(APIS, max_size=2))), consumers)


def overlaps(one: str, other: str) -> bool:
    """Whether any subject matches both filters."""
    for left, right in zip_longest(one.split("."), other.split(".")):
        if left is None or right is None or (left != right and not {left, right} & {"*", ">"}):
            return False
        if ">" in (left, right):
            return True
    return True


def streams(service: Service) -> dict[str, str]:
    """The streams of a service, each with the filter of its subjects."""
    apis = (*service.fires, *(consumer.api for consumer in service.consumers))
    prefix = service.prefix
    return {
        **{f"{prefix}-{api.replace('.', '-')}": f"{prefix}.{api}.*" for api in apis},
        f"{prefix}-dead-letters": f"{prefix}-dead-letters.>",
        f"{prefix}-dead-letters-replays": f"{prefix}-dead-letters-replays.>",
    }


def durables(service: Service) -> Iterator[str]:
    """The durables of a service, each as `<stream>.<durable>`."""
    for consumer in service.consumers:
        stream = f"{service.prefix}-{consumer.api.replace('.', '-')}"
        yield f"{stream}.{consumer.durable}"
        yield f"{service.prefix}-dead-letters-replays.{consumer.durable}@{stream}"


def foreign(owner: Service, other: Service) -> Iterator[str]:
    """The filters of all subjects of one service that the other may not publish to."""
    yield f"_INBOX_{owner.name}.>"
    for durable in durables(owner):
        yield f"$JS.API.CONSUMER.*.{durable}"
        yield f"$JS.API.CONSUMER.*.*.{durable}"
        yield f"$JS.API.CONSUMER.CREATE.{durable}.>"
        yield f"$JS.ACK.{durable}.*.*.*.*.*"
        yield f"$JS.ACK.*.*.{durable}.*.*.*.*.>"
    for consumer in owner.consumers:
        listener = f"{owner.prefix}-{consumer.api.replace('.', '-')}.{consumer.durable}"
        yield f"{owner.prefix}-dead-letters.{listener}.>"
        yield f"{owner.prefix}-dead-letters-replays.{listener}.>"
        yield f"$JS.API.DIRECT.GET.{owner.prefix}-dead-letters.{owner.prefix}-dead-letters.{listener}.>"
    is_shared = owner.prefix == other.prefix
    fired = {f"{other.prefix}.{api}.*" for api in other.fires}
    for stream, subjects in streams(owner).items():
        yield f"$JS.API.DIRECT.GET.{stream}"
        for operation in ("CREATE", "UPDATE", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.GET"):
            yield f"$JS.API.STREAM.{operation}.{stream}"
        for operation in ("CREATE", "LIST", "NAMES"):
            yield f"$JS.API.CONSUMER.{operation}.{stream}"
        if not (is_shared and stream.endswith("-dead-letters")):
            yield f"$JS.API.STREAM.MSG.DELETE.{stream}"
            yield f"$JS.API.DIRECT.GET.{stream}.>"
        if not is_shared:
            yield f"$JS.API.STREAM.INFO.{stream}"
        if not (is_shared and (subjects in fired or "-dead-letters" in stream)):
            yield subjects


def listening(name: str, prefix: str, api: str) -> Service:
    return Service(name, prefix, (), (Consumer(api, "event", f"{name}-a"),))


def violations(owner: Service, other: Service) -> list[tuple[str, str]]:
    granted = [subject for grant in grants(other) for subject in grant.subjects]
    return [
        (subject, private)
        for private in foreign(owner, other)
        for subject in granted
        if overlaps(subject, private)
    ]


@given(services(), services())
@example(listening("a", "a", "a"), listening("b", "a", "a"))
@example(
    listening("a", "a", "a.dead.letters"), listening("b", "a-a", "a")
)  # one's events, the other's dead letters
@settings(max_examples=500)
def test_no_grant_covers_what_belongs_to_another(one: Service, other: Service) -> None:
    if one.name == other.name:
        return
    try:
        configuration([one, other])
    except UsageError:
        return
    assert violations(one, other) == []
    assert violations(other, one) == []


SEPARATE = [
    (Service("a", "p", ("a",), ()), Service("A", "p", ("a",), ())),
    (listening("a", "p", "a"), listening("a-a", "p", "a.a")),
    (listening("a", "p", "a"), listening("a", "p-q", "a")),
    (listening("a", "p", "a"), listening("b", "p-a", "b")),
]
AMBIGUOUS = [
    (Service(ADMIN, "p", ("a",), ()), Service("b", "p", (), ()), f"user {ADMIN}"),
    (listening("a", "p", "a.b"), listening("b", "p-a", "b"), "stream p-a-b"),
    (listening("a", "p", "a"), listening("b", "p-dead", "letters"), "stream p-dead-letters"),
    (listening("a", "p", "a"), Service("b", "p-dead-letters", ("b",), ()), "subjects p-dead-letters.>"),
    (listening("a", "p", "a"), Service("b", "_INBOX_a", ("b",), ()), "subjects _INBOX_a.>"),
    (listening("a", "p", "a"), Service("b", "_INBOX", ("b",), ()), "subjects _INBOX.>"),
]


@pytest.mark.parametrize(("one", "other"), SEPARATE)
def test_names_that_only_look_alike_are_accepted(one: Service, other: Service) -> None:
    configuration([one, other])


@pytest.mark.parametrize(("one", "other", "shared"), AMBIGUOUS)
def test_names_that_permissions_cannot_separate_are_refused(
    one: Service, other: Service, shared: str
) -> None:
    with pytest.raises(UsageError) as caught:
        configuration([one, other])
    assert f"both would have the {shared}" in str(caught.value)


USERS = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True) | st.text("aA-_1", min_size=1, max_size=4)


@given(st.sets(USERS | st.just(ADMIN), min_size=2, max_size=30))
@example(
    {"a-b", "a_b", "A-b", "a--b", "-a", "_a", "1a", "-1a", "_1a", "a-password-1", ADMIN, "lightbus_admin"}
)
@settings(max_examples=500)
def test_no_two_users_share_a_password_variable(users: set[str]) -> None:
    variables = {password_variable(user).lower() for user in users}  # as on Windows
    assert len(variables) == len(users)
    assert all(variable.isidentifier() for variable in variables)


@pytest.mark.parametrize(
    ("user", "variable"),
    [
        ("mailer", "MAILER_PASSWORD"),
        ("send-mails", "SEND_MAILS_PASSWORD"),
        ("send_mails", "SEND_MAILS_PASSWORD_10"),
        ("Mailer", "MAILER_PASSWORD_1"),
        ("2fa", "_2FA_PASSWORD"),
        (ADMIN, "LIGHTBUS_ADMIN_PASSWORD"),
    ],
)
def test_a_password_variable_is_readable_and_never_changes(user: str, variable: str) -> None:
    assert password_variable(user) == variable
