"""The auth service: owns accounts and defines their events."""

from __future__ import annotations

from typing import Literal

from lightbus import Api, Event, Parameter


class AuthApi(Api):
    """Accounts of the shop."""

    user_created = Event(
        parameters=(
            Parameter("username", str),
            Parameter("email", str),
            Parameter("plan", Literal["free", "pro"], default="free"),
        ),
        description="Somebody signed up.",
    )
    user_updated = Event(
        parameters=(Parameter("username", str), Parameter("new_email", str)),
        description="Somebody changed their address.",
    )
    user_deleted = Event(parameters=("username",), description="Somebody left.")

    class Meta:
        name = "auth"
