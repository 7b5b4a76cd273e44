"""`lightbus plan`, `lightbus apply` and `lightbus status` on a real server, as a user types them."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lightbus import naming
from lightbus.jetstream.streams import resources
from lightbus.jetstream.streams.resources import NANOSECONDS
from lightbus.transport import Consumer
from tests.cli.conftest import Fire, Run, Start, Write
from tests.cli.kit import BOUND, durable
from tests.conformance.kits import look_into
from tests.jetstream.streams.test_provisioning import put

LISTENERS = """
async def welcome(username, email):
    say("handled", username)

async def before_server_start():
    await bus.auth.user_created.listen_async(welcome, listener_name="welcome")
    bus.auth.user_deleted.listen(lambda username: say("gone"), listener_name="goodbye", since="now", ack_wait=5)
"""


def change(url: str, prefix: str, listener: Mapping[str, Any] | None = None, **settings: Any) -> None:
    """Create the stream of `auth` and the durable of `welcome` with settings that differ from the bus's."""

    async def work() -> None:
        async with look_into(url) as server:
            await put(server, resources.event_stream(prefix, "auth"), **settings)
            if listener:
                consumer = Consumer("auth", "user_created", "mailer-welcome")
                await put(server, resources.durable(prefix, consumer), **listener)

    asyncio.run(work())


def stream(url: str, name: str) -> dict[str, Any]:
    """Return the server's information on a stream."""

    async def ask() -> dict[str, Any]:
        async with look_into(url) as server:
            return await server.api(f"STREAM.INFO.{name}")

    return asyncio.run(ask())


# -- plan --------------------------------------------------------------------------------------------


def test_a_plan_shows_what_is_missing_and_changes_nothing(
    run: Run, write: Write, prefix: str, on_server: str
) -> None:
    write(LISTENERS)
    for _ in range(2):
        plan = run("plan")
        assert plan.code == 1
        assert plan.out.splitlines() == [
            "ACTION  WHAT",
            f"create  stream {prefix}-auth",
            f"create  stream {prefix}-dead-letters",
            f"create  stream {prefix}-dead-letters-replays",
            "create  durable mailer-welcome",
            f"create  durable mailer-welcome@{prefix}-auth",
            "create  durable mailer-goodbye",
            f"create  durable mailer-goodbye@{prefix}-auth",
        ]
        assert "7 to create. Apply with: lightbus apply --bus bus" in plan.err


def test_what_was_applied_is_planned_no_more(run: Run, write: Write, prefix: str, on_server: str) -> None:
    write(LISTENERS)
    applied = run("apply", "--yes")
    assert applied.code == 0
    assert "created durable 'mailer-welcome' of stream" in applied.err
    plan = run("plan")
    assert (plan.code, plan.out) == (0, "")
    assert "nothing to do: the server has all 7 streams and durables" in plan.err
    again = run("apply", "--yes")
    assert (again.code, again.out, again.err) == (0, "", "nothing to do\n")
    assert durable(on_server, prefix, "mailer-goodbye")["config"]["deliver_policy"] == "new"
    assert durable(on_server, prefix, "mailer-goodbye")["config"]["ack_wait"] == 5 * NANOSECONDS


def test_a_service_name_from_the_command_line_names_the_durables(run: Run, write: Write) -> None:
    write(LISTENERS)
    assert "durable courier-welcome\n" in run("plan", "--service-name", "courier").out


def test_nothing_is_handled_or_fired_while_planning(
    run: Run, write: Write, prefix: str, fire: Fire, on_server: str
) -> None:
    write(
        """
def before_server_start():
    bus.auth.user_created.listen(lambda username, email: say("handled", username), listener_name="welcome")
    bus.auth.user_created.fire(username="bob", email="bob@example.com")

def after_server_stopped():
    say("cleaned up")
"""
    )
    fire("ada")
    plan = run("plan")
    assert plan.code == 1
    assert "handled" not in plan.out
    assert "cleaned up" in plan.out
    assert "warning: auth.user_created is not fired" in plan.err
    assert stream(on_server, f"{prefix}-auth")["state"]["messages"] == 1


def test_a_module_may_only_fire(run: Run, write: Write, prefix: str) -> None:
    write("")
    plan = run("plan")
    assert plan.out.splitlines()[1:] == [f"create  stream {prefix}-auth"]


def test_differences_are_shown_with_what_they_do(run: Run, write: Write, prefix: str, on_server: str) -> None:
    write(LISTENERS)
    change(
        on_server,
        prefix,
        {"max_deliver": 5, "ack_policy": "none", "filter_subject": f"{prefix}.auth.user_deleted"},
        discard="old",
        max_msgs=5,
        duplicate_window=120 * NANOSECONDS,
        storage="memory",
    )
    plan = run("plan")
    assert plan.code == 1
    rows = [re.split(r" {2,}", line) for line in plan.out.splitlines()]
    assert rows[0] == ["ACTION", "WHAT", "SETTING", "IS", "SHOULD BE"]
    assert ["update", f"stream {prefix}-auth", "discard", "old", "new"] in rows
    assert ["update", f"stream {prefix}-auth", "duplicate_window", "2m", "10m"] in rows
    assert ["by hand", "durable mailer-welcome", "ack_policy", "none", "explicit"] in rows
    assert ["update", "durable mailer-welcome", "max_deliver", "5", "-1"] in rows
    assert (
        f"{prefix}-auth, discard: at its limit, the stream drops events that listeners have not seen"
        in plan.out
    )
    assert plan.lines[-3:] == [
        "by hand: the server cannot change it. Remove what nothing needs, and apply again:",
        f"  nats stream rm {prefix}-auth",
        f"  nats consumer rm {prefix}-auth mailer-welcome",
    ]
    assert plan.out.count("by hand:") == 1


def test_programs_get_raw_settings(run: Run, write: Write, prefix: str, on_server: str) -> None:
    write(LISTENERS)
    change(on_server, prefix, discard="old")
    plan = run("plan", "--format", "json")
    assert plan.code == 1
    first, second, *_ = plan.objects
    assert first == {
        "action": "update",
        "kind": "stream",
        "name": f"{prefix}-auth",
        "differences": [
            {
                "setting": "discard",
                "is": "old",
                "should_be": "new",
                "way": "update",
                "harm": "",
                "is_fatal": False,
            }
        ],
        "removal": f"nats stream rm {prefix}-auth",
    }
    assert second["action"] == "create"
    assert second["config"]["max_msgs_per_subject"] == 1
    assert [step["stream"] for step in plan.objects if step["name"] == "mailer-welcome"] == [f"{prefix}-auth"]


def test_a_terminal_gets_colour(
    write: Write, folder: Path, environment: dict[str, str], on_server: str
) -> None:
    write(LISTENERS)
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "lightbus", "plan"],
        cwd=folder,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=subprocess.DEVNULL,
        timeout=BOUND * 2,
    )
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert done.returncode == 1
    assert "\x1b[32mcreate  stream" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bus", "nowhere"], "there is no module 'nowhere'"),
        (["--url", "nats://127.0.0.1:9"], "connection refused"),
        (["--format", "nats", "--fires", "shop"], "--fires shop: there is no such API. Known: auth."),
        (
            ["--format", "nats", "--fires", "mailr:auth"],
            "no such service (did you mean 'mailer'?). Services: mailer.",
        ),
        (
            ["--format", "nats", "--fires", "mailer:shop"],
            "--fires mailer:shop: there is no such API. Known: auth.",
        ),
        (["--fires", "auth"], "--fires goes with --format nats"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_told_apart_from_pending_changes(
    run: Run, write: Write, arguments: list[str], says: str
) -> None:
    write(LISTENERS)
    plan = run("plan", *arguments)
    assert (plan.code, plan.out) == (2, "")
    assert says in plan.err


def test_a_hook_that_raises_is_an_error(run: Run, write: Write) -> None:
    write("def before_server_start():\n    raise OSError('no database')\n")
    plan = run("plan")
    assert plan.code == 2
    assert "bus.before_server_start() raised OSError: no database" in plan.err


def test_a_bus_in_memory_has_nothing_to_plan(run: Run, write: Write) -> None:
    write(LISTENERS, url="memory://here")
    plan = run("plan")
    assert plan.code == 2
    assert "memory://here, where nothing is provisioned" in plan.err


def test_a_bus_of_generated_code_knows_its_apis(run: Run, folder: Path, prefix: str) -> None:
    create = f"lightbus.create(Bus, service_name='mailer', prefix={prefix!r})"
    (folder / "bus.py").write_text(f"import lightbus\nfrom acme_bus import Bus\nbus = {create}\n")
    assert f"create  stream {prefix}-auth" in run("plan").out


# -- apply -------------------------------------------------------------------------------------------


def test_updates_change_what_differs_and_nothing_else(
    run: Run, write: Write, prefix: str, on_server: str
) -> None:
    write(LISTENERS)
    listener = {
        "max_deliver": 5,
        "inactive_threshold": 60 * NANOSECONDS,
        "ack_wait": NANOSECONDS,
        "description": "ours",
    }
    change(
        on_server, prefix, listener, discard="old", max_age=86400 * NANOSECONDS, subjects=[f"{prefix}.extra"]
    )
    assert run("apply", "--yes").code == 0
    assert run("plan").code == 0
    config = stream(on_server, f"{prefix}-auth")["config"]
    assert (config["discard"], config["max_age"]) == ("new", 86400 * NANOSECONDS)
    assert config["subjects"] == [f"{prefix}.extra", f"{prefix}.auth.*"]
    config = durable(on_server, prefix, "mailer-welcome")["config"]
    assert (config["max_deliver"], config["ack_wait"]) == (-1, 30 * NANOSECONDS)
    assert "inactive_threshold" not in config
    assert config["description"] == "ours"


def test_what_only_hands_can_do_is_left_and_said(run: Run, write: Write, prefix: str, on_server: str) -> None:
    write(LISTENERS)
    change(on_server, prefix, {"filter_subject": f"{prefix}.auth.user_deleted", "ack_wait": NANOSECONDS})
    applied = run("apply", "--yes")
    assert applied.code == 1
    assert "updated durable 'mailer-welcome'" in applied.err
    assert (
        f"left: durable 'mailer-welcome' of stream '{prefix}-auth': filter_subject is"
        f" {prefix}.auth.user_deleted, should be {prefix}.auth.user_created\n"
    ) in applied.err
    assert f"nats consumer rm {prefix}-auth mailer-welcome" in applied.err
    config = durable(on_server, prefix, "mailer-welcome")["config"]
    assert (config["filter_subject"], config["ack_wait"]) == (f"{prefix}.auth.user_deleted", 30 * NANOSECONDS)


def test_messages_are_removed_only_when_that_is_said(
    run: Run, write: Write, prefix: str, on_server: str
) -> None:
    write(LISTENERS)
    letters = naming.dead_letter_stream(prefix)

    async def keep_two() -> None:
        async with look_into(on_server) as server:
            unlimited = {"max_msgs_per_subject": -1, "discard_new_per_subject": False}
            await put(server, resources.dead_letter_stream(prefix, server.version), **unlimited)
            for _ in range(2):
                await server.request(f"{letters}.a.b.1.1", b"x", BOUND)

    asyncio.run(keep_two())
    plan = run("plan")
    for setting in (r"max_msgs_per_subject +-1 +1", r"discard_new_per_subject +false +true"):
        assert re.search(rf"destroy +stream {letters} +{setting}", plan.out)
    applied = run("apply", "--yes")
    assert applied.code == 1
    assert "destroy: removes messages; allow it with: lightbus apply --destroy\n" in applied.err
    assert stream(on_server, letters)["state"]["messages"] == 2
    assert run("apply", "--yes", "--destroy").code == 0
    assert stream(on_server, letters)["state"]["messages"] == 1
    assert run("plan").code == 0


def test_the_dead_letters_of_an_earlier_version_stay_and_cannot_be_replaced_any_more(
    run: Run, write: Write, prefix: str, on_server: str
) -> None:
    write(LISTENERS)
    assert run("apply", "--yes").code == 0
    letters = naming.dead_letter_stream(prefix)
    subjects = [f"{letters}.a.b.1.{number}" for number in range(3)]
    earlier = resources.dead_letter_stream(prefix, (2, 13)).config

    async def store(*subjects: str) -> list[bytes]:
        async with look_into(on_server) as server:
            return [await server.request(subject, b"x", BOUND) for subject in subjects]

    async def go_back() -> None:
        async with look_into(on_server) as server:
            await server.api(f"STREAM.UPDATE.{letters}", dict(earlier))

    asyncio.run(go_back())
    asyncio.run(store(*subjects))
    plan = run("plan")
    for setting in ("discard_new_per_subject", "allow_rollup_hdrs"):
        assert re.search(rf"update +stream {letters} +{setting} +false +true", plan.out)
    assert f"{letters}, discard_new_per_subject: an answer of the server that any client has sent" in plan.out
    before = stream(on_server, letters)["state"]
    assert (run("apply", "--yes").code, run("plan").code) == (0, 0)
    assert all(b"maximum messages per subject exceeded" in answer for answer in asyncio.run(store(*subjects)))
    assert stream(on_server, letters)["state"] == before


def test_a_stream_of_dead_letters_that_denies_purging_is_left_as_it_is(
    run: Run, write: Write, prefix: str, on_server: str
) -> None:
    write(LISTENERS)
    config = {**resources.dead_letter_stream(prefix, (2, 13)).config, "deny_purge": True}

    async def make() -> None:
        async with look_into(on_server) as server:
            await server.api(f"STREAM.CREATE.{config['name']}", config)

    asyncio.run(make())
    applied = run("apply", "--yes")
    assert applied.code == 1
    for setting in ("discard_new_per_subject", "allow_rollup_hdrs"):
        assert f"{setting} is false, should be true" in applied.err
    assert "created stream" in applied.err


def test_nobody_is_asked_without_a_terminal(run: Run, write: Write, prefix: str) -> None:
    write(LISTENERS)
    applied = run("apply")
    assert applied.code == 2
    assert "pass --yes" in applied.err
    assert run("plan").code == 1


# -- run ---------------------------------------------------------------------------------------------


def test_a_verifying_service_starts_once_its_plan_is_applied(
    run: Run, start: Start, write: Write, fire: Fire
) -> None:
    write(LISTENERS, provision="create")
    service = start("run", "--provision", "verify")
    assert service.end() == 1
    assert (
        'does not exist, and provision="verify" creates nothing. Create it with: lightbus apply'
        in service.output
    )
    assert run("apply", "--yes").code == 0
    service = start("run", "--provision", "verify")
    service.ready()
    fire("ada")
    service.wait_for("handled ada")


# -- status ------------------------------------------------------------------------------------------


def test_status_shows_streams_and_listeners(run: Run, write: Write, prefix: str, fire: Fire) -> None:
    write(LISTENERS)
    assert run("apply", "--yes").code == 0
    fire("ada")
    status = run("status", "--prefix", prefix)
    assert status.code == 0
    rows = [re.split(r" {2,}", line) for line in status.out.splitlines()]
    assert rows[0] == ["STREAM", "EVENTS", "BYTES", "SEQUENCES", "REPLICAS"]
    assert (rows[1][:2], rows[1][3:]) == ([f"{prefix}-auth", "1"], ["1 to 1", "1"])
    assert rows[3] == ["STATE", "LISTENER", "EVENT", "PENDING", "IN FLIGHT", "REDELIVERED", "DEAD LETTERS"]
    assert rows[4:] == [
        ["no worker", "mailer-goodbye", "auth.user_deleted", "0", "0", "0", "0"],
        ["no worker", "mailer-welcome", "auth.user_created", "1", "0", "0", "0"],
    ]


def test_status_tells_programs_of_alarms(
    run: Run, write: Write, prefix: str, fire: Fire, on_server: str
) -> None:
    write(LISTENERS)
    change(on_server, prefix, discard="old", max_msgs=2)
    assert run("apply", "--yes").code == 0

    async def allow_loss_again() -> None:
        async with look_into(on_server) as server:
            config = (await server.api(f"STREAM.INFO.{prefix}-auth"))["config"]
            await server.api(f"STREAM.UPDATE.{prefix}-auth", config | {"discard": "old"})
            await server.request(f"{prefix}-dead-letters.{prefix}-auth.mailer-welcome.1.1", b"x", BOUND)

    asyncio.run(allow_loss_again())
    for name in ("ada", "bob", "eve"):
        fire(name)
    status = run("status", "--prefix", prefix, "--format", "json")
    assert status.code == 1
    facts = {one["name"]: one for one in status.objects}
    assert facts[f"{prefix}-auth"]["first"] == 2
    listener = facts["mailer-welcome"]
    assert (listener["pending"], listener["dead_letters"], listener["seen"]) == (2, 0, 0)
    assert listener["unreadable"] == 1  # no listener wrote it
    assert [alarm["kind"] for alarm in listener["alarms"]] == ["lost"]
    text = run("status", "--prefix", prefix)
    assert text.code == 1
    assert "lost: mailer-welcome is behind, and the events 1 to 1 of stream" in text.out


def test_status_counts_what_no_listener_wrote_as_such(
    run: Run, start: Start, write: Write, prefix: str, fire: Fire, on_server: str
) -> None:
    write(
        """
def broken(username, email):
    raise ValueError(username)

def before_server_start():
    bus.auth.user_created.listen(broken, listener_name="welcome", retries=0)
    bus.auth.user_deleted.listen(lambda username: None, listener_name="goodbye")
"""
    )
    service = start("run")
    service.ready()
    for name in ("ada", "bob"):
        fire(name)
        service.wait_for(f"ValueError: {name}")
    letters, durable = naming.dead_letter_stream(prefix), f"{prefix}-auth.mailer-welcome"

    async def forge() -> None:
        async with look_into(on_server) as server:
            async with asyncio.timeout(BOUND):
                while (await server.api(f"STREAM.INFO.{letters}"))["state"]["messages"] < 2:
                    pass
            for subject in (f"{durable}.1.1", f"{durable}.x", f"{durable}-2.1.1"):
                await server.request(f"{letters}.{subject}", b"forged", BOUND)

    asyncio.run(forge())
    rows = [re.split(r" {2,}", line) for line in run("status", "--prefix", prefix).lines]
    assert [row[1:2] + row[-1:] for row in rows[4:]] == [
        ["mailer-goodbye", "0"],
        ["mailer-welcome", "2, 2 unreadable"],
    ]


def test_status_of_nothing(run: Run, prefix: str) -> None:
    status = run("status", "--prefix", prefix)
    assert (status.code, status.out) == (0, "")
    assert f"there are no streams of the prefix '{prefix}'" in status.err
