"""Uses of a generated package that type checkers must accept, and ones they must reject."""

from __future__ import annotations

SCHEMA = """
{
  "lightbus": 1,
  "api": "auth",
  "events": {
    "user_created": {
      "parameters": {
        "type": "object",
        "properties": {
          "username": {"type": "string"},
          "email": {"type": "string"},
          "referrer": {"type": "string"}
        },
        "required": ["username", "email"],
        "additionalProperties": false
      }
    },
    "user_moved": {
      "parameters": {
        "type": "object",
        "properties": {
          "username": {"type": "string"},
          "address": {"$ref": "#/$defs/Address"},
          "at": {"type": "string", "format": "date-time"},
          "status": {"enum": ["active", "locked"]},
          "notify": {"type": "boolean", "default": true}
        },
        "required": ["username", "address"],
        "additionalProperties": false
      }
    },
    "all_signed_out": {"parameters": {"type": "object", "additionalProperties": false}}
  },
  "$defs": {
    "Address": {
      "type": "object",
      "properties": {"street": {"type": "string"}, "zip-code": {"type": ["string", "null"]}},
      "required": ["street"],
      "additionalProperties": false
    }
  }
}
"""

PRELUDE = """
# pyright: reportUnusedImport=false
from __future__ import annotations

import functools
from datetime import UTC, datetime

import lightbus
from lightbus import UNSET, EventMessage, OnError
from acme_bus import Bus
from acme_bus.auth import Address, AllSignedOut, UserCreated, UserMoved

bus = lightbus.create(Bus, service_name="mailer")
created = bus.auth.user_created
moved = bus.auth.user_moved
"""

ACCEPTED = {
    "fire": """
message: EventMessage = created.fire(username="a", email="b")
created.fire(username="a", email="b", referrer="c")
created.fire(username="a", email="b", referrer=UNSET)
address: Address = {"street": "s", "zip-code": None}
moved.fire(username="a", address=address, at=datetime.now(UTC), status="active", notify=False)
moved.fire(username="a", address={"street": "s"})
bus.auth.all_signed_out.fire()
""",
    "fire_async": """
async def main() -> None:
    message: EventMessage = await created.fire_async(username="a", email="b", referrer="c")
    print(message.id)
    await bus.auth.all_signed_out.fire_async()
""",
    "fire_many": """
messages: list[EventMessage] = created.fire_many([UserCreated(username="a", email="b")])
created.fire_many(UserCreated(username=name, email="b") for name in "abc")
bus.auth.all_signed_out.fire_many([AllSignedOut()])
created.fire_again(messages[0])
async def batch() -> None:
    await created.fire_many_async((UserCreated(username="a", email="b", referrer="c"),))
    try:
        await created.fire_async(username="a", email="b")
    except lightbus.PublishUnknown as error:
        if error.message is not None:
            await created.fire_again_async(error.message)
""",
    "keyword": """
def whole(username: str, email: str, referrer: str = "") -> None: ...
def in_another_order(referrer: str | None = None, *, email: str, username: str) -> int:
    return 1
def wider(username: object, email: str | bytes, referrer: object = None) -> None: ...
def with_more(username: str, email: str, referrer: str = "", retries: int = 3) -> None: ...
def subset(username: str, **_: object) -> None: ...
def nothing_of_it(**_: object) -> None: ...
async def awaited(username: str, email: str, referrer: str = "") -> None: ...

created.listen(whole, listener_name="a")
created.listen(in_another_order, listener_name="b")
created.listen(wider, listener_name="c")
created.listen(with_more, listener_name="d")
created.listen(subset, listener_name="e")
created.listen(nothing_of_it, listener_name="f")
created.listen(awaited, listener_name="g")
""",
    "keyword_values": """
def handle(
    username: str,
    address: Address,
    notify: bool,
    at: datetime | None = None,
    status: str = "",
) -> None:
    print(address["street"], address.get("zip-code"), at)

moved.listen(handle, listener_name="a")

def no_parameters() -> None: ...
bus.auth.all_signed_out.listen(no_parameters, listener_name="b")
bus.auth.all_signed_out.listen(lambda: None, listener_name="c")
""",
    "message_first": """
def whole(event: EventMessage, username: str, email: str, referrer: str = "") -> None:
    print(event.id)
def under_another_name(message: EventMessage, /, username: str, **_: object) -> None: ...
async def awaited(event: EventMessage, username: str, email: str, **_: object) -> None: ...

created.listen(whole, listener_name="a")
created.listen(under_another_name, listener_name="b")
created.listen(awaited, listener_name="c")
""",
    "payload": """
def whole(event: UserCreated) -> None:
    print(event.username, event.referrer)
async def awaited(anything: UserCreated) -> None: ...
def optional(event: UserMoved) -> None:
    if event.at is not UNSET:
        print(event.at.isoformat())

created.listen(whole, listener_name="a")
created.listen(awaited, listener_name="b")
moved.listen(optional, listener_name="c")
made = UserMoved(username="a", address={"street": "s"}, notify=True)
print(AllSignedOut())
""",
    "callables": """
class Mailer:
    def keyword(self, username: str, email: str, referrer: str = "") -> None: ...
    async def message(self, event: EventMessage, username: str, **_: object) -> None: ...
    def payload(self, event: UserCreated) -> None: ...
    @classmethod
    def of_class(cls, username: str, **_: object) -> None: ...
    @staticmethod
    def static(username: str, **_: object) -> None: ...
    def __call__(self, username: str, email: str, **_: object) -> None: ...

mailer = Mailer()
created.listen(mailer.keyword, listener_name="a")
created.listen(mailer.message, listener_name="b")
created.listen(mailer.payload, listener_name="c")
created.listen(Mailer.of_class, listener_name="d")
created.listen(Mailer.static, listener_name="e")
created.listen(mailer, listener_name="f")

def configured(sender: str, username: str, email: str, referrer: str = "") -> None: ...
created.listen(functools.partial(configured, "me"), listener_name="g")
created.listen(functools.partial(configured, sender="me"), listener_name="h")
created.listen(lambda username, email, referrer="": print(username, email, referrer), listener_name="i")
created.listen(lambda event: print(event.username), listener_name="j")
""",
    "options": """
async def main(since: datetime) -> None:
    def handle(**_: object) -> None: ...
    listener: lightbus.Listener = await created.listen_async(
        handle, listener_name="a", on_error=OnError.SHUTDOWN, concurrency=4, since=since, retries=3
    )
    print(listener.durable)
    created.listen(handle, listener_name="b", since="now", backoff=lightbus.Backoff())
""",
}

REJECTED = {
    "fire": """
created.fire(username="a", password="b")  # rejected: Unexpected keyword argument "password"
created.fire(username="a")  # rejected: Missing named argument "email"
created.fire(username="a", email=1)  # rejected: "email" | incompatible type "int"; expected "str"
created.fire("a", "b")  # rejected: Too many positional arguments
created.fire(username="a", email="b", referrer=None)  # rejected: "referrer" | incompatible type "None"
bus.auth.all_signed_out.fire(by="me")  # rejected: Unexpected keyword argument "by"
""",
    "fire_values": """
moved.fire(username="a", address={"street": 1})  # rejected: (expression has type "int", TypedDict item "street" has type "str")
moved.fire(username="a", address={})  # rejected: Missing key "street" for TypedDict "Address"
moved.fire(username="a", address={"street": "s", "zip_code": None})  # rejected: Extra key "zip_code" for TypedDict "Address"
moved.fire(username="a", address={"street": "s"}, at="2026-01-01")  # rejected: expected "datetime | UnsetType"
moved.fire(username="a", address={"street": "s"}, status="gone")  # rejected: expected "Literal['active', 'locked'] | UnsetType"
""",
    "fire_many": """
created.fire_many([UserMoved(username="a", address={"street": "s"})])  # rejected: expected "UserCreated"
created.fire_many([{"username": "a", "email": "b"}])  # rejected: expected "UserCreated"
created.fire_many([UserCreated(username="a")])  # rejected: Missing named argument "email"
created.fire_many(UserCreated(username="a", email="b"))  # rejected: expected "Iterable[UserCreated]"
""",
    "names": """
bus.auth.user_create.fire(username="a", email="b")  # rejected: "AuthClient" has no attribute "user_create"; maybe "user_created"?
bus.author.user_created.fire(username="a", email="b")  # rejected: "Bus" has no attribute "author"; maybe "auth"?
def handle(event: UserCreated) -> None:
    print(event.name)  # rejected: "UserCreated" has no attribute "name"
    event.username = "b"  # rejected: Property "username" defined in "UserCreated" is read-only
""",
    "keyword": """
def wrong_name(username: str, new_email: str) -> None: ...
def wrong_type(username: int, email: str, referrer: str = "") -> None: ...
def missing(username: str) -> None: ...
def no_default(username: str, email: str, referrer: str) -> None: ...
def one_more(username: str, email: str, referrer: str = "", *, more: int) -> None: ...
def positional_only(username: str, email: str, referrer: str = "", /) -> None: ...
async def awaited(username: str, password: str) -> None: ...

created.listen(wrong_name, listener_name="a")  # rejected: SIGNATURE
created.listen(wrong_type, listener_name="b")  # rejected: SIGNATURE
created.listen(missing, listener_name="c")  # rejected: SIGNATURE
created.listen(no_default, listener_name="d")  # rejected: SIGNATURE
created.listen(one_more, listener_name="e")  # rejected: SIGNATURE
created.listen(positional_only, listener_name="f")  # rejected: SIGNATURE
created.listen(awaited, listener_name="g")  # rejected: SIGNATURE
""",
    "keyword_values": """
def optional(username: str, address: Address, notify: bool, at: datetime, **_: object) -> None: ...
def undefaulted(username: str, address: Address, notify: str = "", **_: object) -> None: ...
def other_type(username: str, address: dict[str, str], **_: object) -> None: ...

moved.listen(optional, listener_name="a")  # rejected: incompatible type | at: datetime = ...
moved.listen(undefaulted, listener_name="b")  # rejected: incompatible type | notify: bool,
moved.listen(other_type, listener_name="c")  # rejected: incompatible type | address: Address,
""",
    "message_first": """
def swapped(username: str, event: EventMessage, email: str, referrer: str = "") -> None: ...
def wrong_name(event: EventMessage, user: str, email: str, referrer: str = "") -> None: ...

created.listen(swapped, listener_name="a")  # rejected: SIGNATURE
created.listen(wrong_name, listener_name="b")  # rejected: SIGNATURE | def handler(event: EventMessage, username: str, email: str, referrer: str = ..., **_: object)
""",
    "payload": """
def of_another_event(event: UserMoved) -> None: ...
def one_more(event: UserCreated, more: int) -> None: ...
async def of_none(event: AllSignedOut) -> None: ...

created.listen(of_another_event, listener_name="a")  # rejected: SIGNATURE
created.listen(one_more, listener_name="b")  # rejected: SIGNATURE
created.listen(of_none, listener_name="c")  # rejected: SIGNATURE
""",
    "callables": """
class Mailer:
    def keyword(self, username: str, mail: str) -> None: ...
    def payload(self, event: UserMoved) -> None: ...

def configured(sender: str, username: str, mail: str) -> None: ...

created.listen(Mailer().keyword, listener_name="a")  # rejected: SIGNATURE
created.listen(Mailer().payload, listener_name="b")  # rejected: SIGNATURE
created.listen(Mailer, listener_name="c")  # rejected: SIGNATURE
created.listen(5, listener_name="d")  # rejected: SIGNATURE
""",
    "options": """
def handle(**_: object) -> None: ...
created.listen(handle)  # rejected: Missing named argument "listener_name"
created.listen(handle, "a")  # rejected: Too many positional arguments
created.listen(handle, listener_name="a", on_eror=OnError.SHUTDOWN)  # rejected: Unexpected keyword argument "on_eror"
created.listen(handle, listener_name="a", concurrency="4")  # rejected: "concurrency" | incompatible type "str"; expected "int"
created.listen(handle, listener_name="a", since="yesterday")  # rejected: "since" | incompatible type
""",
}

SIGNATURE = "def handler(username: str, email: str, referrer: str = ..., **_: object)"
"""The signature that a rejected handler of `user_created` should have had, as mypy's message must say."""
