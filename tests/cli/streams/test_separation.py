"""What one account separates: each service tries everything that the printed permissions should deny it."""

from __future__ import annotations

import re

from tests.cli.streams.site import GENERAL, PARTIES, VERDICTS, Site, crossed, reading_letters, subjects_of

EVERYTHING = (">", "*.>", "_INBOX.>", "$JS.>", "$JS.API.>", "$JS.ACK.>", "$JS.EVENT.>", "$SYS.>")


async def test_a_service_may_publish_nothing_of_another(site: Site) -> None:
    before = await site.state()
    for party in PARTIES:
        subjects = {subject for other in PARTIES for subject in (*subjects_of(other), *crossed(party, other))}
        subjects |= {subject for other in PARTIES if other is not party for subject in reading_letters(other)}
        forbidden = {subject for subject in (*subjects, *GENERAL) if not party.may(subject)}
        async with site.intruder(party) as intruder:
            for subject in sorted(forbidden):
                for body in VERDICTS if subject.startswith("$JS.ACK") else (b"",):
                    intruder.publish(subject.encode(), body, reply=party.inbox.encode())
            await intruder.flush()
            assert intruder.received == []
            assert forbidden - intruder.denied == set()
    assert await site.state() == before


async def test_a_service_may_subscribe_to_nothing_of_another(site: Site) -> None:
    for party in PARTIES:
        filters = {subject for other in PARTIES for subject in subjects_of(other)} - {party.inbox}
        filters |= {f"_INBOX_{other.name}.>" for other in PARTIES if other is not party}
        filters |= {f"{other.prefix}.>" for other in PARTIES}
        filters |= {*EVERYTHING, f"_INBOX_{party.name}"}
        async with site.intruder(party) as intruder:
            for queue in ("", "queue"):
                for subject in sorted(filters):
                    intruder.subscribe(subject, queue)
                await intruder.flush()
                assert filters - intruder.denied == set()
                intruder.denied.clear()


async def test_a_service_may_do_all_that_is_its_own(site: Site) -> None:
    for party in PARTIES:
        async with site.intruder(party) as intruder:
            for subject in party.allowed:
                intruder.publish(re.sub("[*>]", "1", subject).encode(), reply=party.inbox.encode())
            await intruder.flush()
            assert intruder.denied == set()
