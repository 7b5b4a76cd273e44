"""Half a minute of torture, and the counts of its audit."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.audit import Fired, Pause, audit, slowest_turn
from tests.faults.ledger import Gap
from tests.faults.torture import FAULTS, LISTENERS, Torture, hostile, plan
from tests.hostile import GOOD


def test_a_seed_decides_the_faults() -> None:
    assert plan(1, 60) == plan(1, 60) != plan(2, 60)
    assert {fault.kind for fault in plan(1, 600)} == set(FAULTS)


def test_the_audit_misses_what_was_promised_and_did_not_happen() -> None:
    fired = Fired({"handled", "twice", "dead", "gone", "vanished"}, {"stored", "never"}, {"refused"})
    stored = Counter(["handled", "twice", "dead", "gone", "stored"])
    handled = {"one": Counter(["handled", "twice", "twice"]), "two": Counter(stored.keys() | {"vanished"})}
    found = audit(fired, stored, handled, {"one": {"dead"}, "two": set()})
    assert found.accounts["one"].lost == {"gone", "stored", "vanished"}
    assert found.accounts["two"].lost == set()
    assert (found.accounts["one"].handled, found.accounts["one"].duplicated) == (2, 1)
    assert (found.lost, found.stored, found.stored_twice) == (3, 5, 0)


def test_a_pause_of_a_worker_is_not_its_fault() -> None:
    gaps = [Gap(pid=1, at=10.0, lasted=4.0), Gap(pid=2, at=10.0, lasted=0.5)]
    assert slowest_turn(gaps, []) == 4.0
    assert slowest_turn(gaps, [Pause(1, 5.0, 8.5), Pause(2, 0.0, 9.0)]) == 1.5
    assert slowest_turn([], [Pause(1, 5.0, 8.5)]) == 0.0


def test_neither_is_its_wait_for_a_core() -> None:
    assert slowest_turn([Gap(pid=1, at=10.0, lasted=4.0, waited=1.5)], [Pause(1, 9.0, 11.0)]) == 1.5


def test_hostile_messages_reach_every_subject() -> None:
    chance = random.Random(1)
    drawn = [hostile(chance) for _ in range(200)]
    assert {subject for subject, _ in drawn} == {
        "lightbus.job.wanted",
        "lightbus.job.followed",
        *(f"lightbus.formula.{name}" for name in GOOD),
    }
    assert {message.fits for _, message in drawn} == {True, False}


@pytest.mark.timeout(400)
async def test_half_a_minute_of_torture_loses_nothing(tmp_path: Path) -> None:
    torture = Torture(tmp_path, seed=1, seconds=30, progress=lambda done, what: None)
    outcome = await torture.run()
    assert {name: account.lost for name, account in outcome.accounts.items()} == dict.fromkeys(
        LISTENERS, frozenset()
    )
    assert torture.hostile
    assert outcome.stored_twice == 0
    assert outcome.fired.acknowledged
