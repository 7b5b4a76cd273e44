"""Half a minute of torture, and the counts of its audit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.audit import Fired, audit
from tests.faults.torture import FAULTS, Torture, plan


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


@pytest.mark.timeout(400)
async def test_half_a_minute_of_torture_loses_nothing(tmp_path: Path) -> None:
    torture = Torture(tmp_path, seed=1, seconds=30, progress=lambda done, what: None)
    outcome = await torture.run()
    assert {name: account.lost for name, account in outcome.accounts.items()} == {
        "many": frozenset(),
        "threads": frozenset(),
        "single": frozenset(),
    }
    assert outcome.stored_twice == 0
    assert outcome.fired.acknowledged
