"""The minimal permissions of a service, as configuration of nats-server. Pure.

NATS permissions cannot match part of a token, so each listener has its own lines. Both forms of acknowledgement
subjects are granted: with a domain and an account before the stream, and without (ADR-15). Each grant counts its tokens,
so that none of one form matches another durable's subjects of the other form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lightbus import naming
from lightbus.errors import UsageError
from lightbus.jetstream.streams import resources
from lightbus.jetstream.streams.resources import Durable
from lightbus.naming import ADMIN
from lightbus.transport import Consumer


@dataclass(frozen=True, slots=True)
class Service:
    """What a service does on the bus.

    Attributes:
        name: its name, and that of its NATS user.
        prefix: the prefix of its bus.
        fires: names of the APIs whose events it fires.
        consumers: the durables of its listeners.
    """

    name: str
    prefix: str
    fires: tuple[str, ...]
    consumers: tuple[Consumer, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """Subjects that a user may publish to.

    Attributes:
        reason: the purpose, for people.
        subjects: subject filters.
    """

    reason: str
    subjects: tuple[str, ...]


def grants(service: Service) -> Iterator[Grant]:
    """List the grants of a service that creates nothing (`provision="verify"`)."""
    prefix = service.prefix
    yield Grant(
        "checks at the start",
        ("$JS.API.INFO", *(f"$JS.API.STREAM.INFO.{name}" for name in _streams(service))),
    )
    for api in service.fires:
        yield Grant(f"fires events of {api}", (naming.stream_subjects(prefix, api),))
    for consumer in service.consumers:
        durable, replays = resources.durable(prefix, consumer), resources.replay_durable(prefix, consumer)
        dead_letters = naming.dead_letter_subjects(prefix, durable.name, durable.stream)
        removal = f"$JS.API.STREAM.MSG.DELETE.{naming.dead_letter_stream(prefix)}"
        event = f"{consumer.api}.{consumer.event}"
        yield Grant(f"listens to {event} as {durable.name}", _pulling(durable))
        yield Grant("keeps its dead letters", (dead_letters,))
        yield Grant("takes replays of them, then removes them", (*_pulling(replays), removal))


def _streams(service: Service) -> Iterable[str]:
    """Name the streams that a service uses."""
    prefix = service.prefix
    apis = (*service.fires, *(consumer.api for consumer in service.consumers))
    streams = dict.fromkeys(naming.stream(prefix, api) for api in apis)
    if service.consumers:
        streams |= dict.fromkeys((naming.dead_letter_stream(prefix), naming.replay_stream(prefix)))
    return streams


def _pulling(durable: Durable) -> tuple[str, ...]:
    place = f"{durable.stream}.{durable.name}"
    return (
        f"$JS.API.CONSUMER.INFO.{place}",
        f"$JS.API.CONSUMER.MSG.NEXT.{place}",
        f"$JS.ACK.{place}.*.*.*.*.*",
        f"$JS.ACK.*.*.{place}.*.*.*.*.>",
    )


def configuration(services: Sequence[Service]) -> str:
    """Return the configuration of nats-server for these services and an operator.

    Args:
        services: services with the same name share a user.

    Raises:
        UsageError: two buses, or a service and another one's inboxes, would share a name.
    """
    _check_names(services)
    users = {service.name: [part for part in services if part.name == service.name] for service in services}
    prefixes = sorted({service.prefix for service in services})
    operator = [
        Grant("streams and durables, dead letters", ("$JS.API.>",)),
        Grant("sends replays", tuple(naming.replay_subjects(prefix) for prefix in prefixes)),
    ]
    lines = [_HEADER, "authorization {", "  users = ["]
    lines += _user(ADMIN, operator, "_INBOX")
    for name, parts in users.items():
        lines += _user(
            name, _merged(grant for part in parts for grant in grants(part)), naming.inbox_prefix(name)
        )
    return "\n".join([*lines, "  ]", "}"])


_HEADER = f"""\
# What nats-server allows these services, and nothing more. The passwords are environment variables of the server.
# Streams and durables are not part of its configuration: the user {ADMIN} creates them with `lightbus apply`,
# and inspects them with `lightbus status` and `lightbus dead-letters`. Services run with LIGHTBUS_PROVISION=verify.
"""


def _check_names(services: Iterable[Service]) -> None:
    """Check that no grant of one bus or service names what belongs to another.

    Raises:
        UsageError: a stream, a user, or the first token of subjects has two owners.
    """
    owners = {f"user {ADMIN}": "the operator", "subjects _INBOX.>": "the operator"}
    for service in services:
        for name, owner in _names(service):
            if owners.setdefault(name, owner) != owner:
                raise UsageError(
                    f"permissions cannot separate {owners[name]} from {owner}: both would have the {name}.\n"
                    "Give one of them another name or prefix."
                )


def _names(service: Service) -> Iterator[tuple[str, str]]:
    """Yield what nobody else may have, each with its owner."""
    owner, bus = f"service {service.name!r}", f"the bus with prefix {service.prefix!r}"
    yield f"user {service.name}", owner
    yield f"subjects {naming.inbox_prefix(service.name)}.>", owner
    yield f"subjects {service.prefix}.>", bus
    yield f"subjects {naming.dead_letter_subjects(service.prefix)}", bus
    yield f"subjects {naming.replay_subjects(service.prefix)}", bus
    for stream in _streams(service):
        yield f"stream {stream}", bus


def _merged(all_grants: Iterable[Grant]) -> Iterator[Grant]:
    """Leave out subjects that are already granted."""
    seen: set[str] = set()
    for grant in all_grants:
        new = tuple(subject for subject in grant.subjects if subject not in seen)
        seen.update(new)
        if new:
            yield Grant(grant.reason, new)


def _user(name: str, granted: Iterable[Grant], inbox: str) -> list[str]:
    lines = ["    {", f'      user: "{name}", password: ${password_variable(name)}', "      permissions: {"]
    lines += ["        publish: { allow: ["]
    for grant in granted:
        lines.append(f"          # {grant.reason}")
        lines += [f'          "{subject}"' for subject in grant.subjects]
    return [*lines, "        ] }", f'        subscribe: {{ allow: ["{inbox}.>"] }}', "      }", "    }"]


def password_variable(user: str) -> str:
    """Name the environment variable of a user's password: `MAILER_PASSWORD`; no two users share one.

    A hexadecimal number at the end has a bit for each capital and underscore of the name: `Mailer` has
    `MAILER_PASSWORD_1`. Windows ignores the case of variables, so they cannot tell capitals themselves.
    """
    name = user.upper().replace("-", "_")
    if not name[0].isalpha():
        name = f"_{name}"  # a variable does not begin with a digit
    lost = sum(1 << place for place, character in enumerate(user) if character == "_" or character.isupper())
    return f"{name}_PASSWORD_{lost:X}" if lost else f"{name}_PASSWORD"
