"""Sign a user up, as a web request would: python -m examples.auth.signup ada ada@example.com"""

from __future__ import annotations

import sys

import lightbus
from acme_bus import Bus


def main() -> None:
    username, email = sys.argv[1:3]
    with lightbus.create(Bus, service_name="auth") as bus:
        event = bus.auth.user_created.fire(username=username, email=email)
    print(f"signed up {username}, event {event.id}")


if __name__ == "__main__":
    main()
