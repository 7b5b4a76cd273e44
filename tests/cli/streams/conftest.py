"""Fixtures of the tests of permissions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.streams.site import Site, running_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server for one module of tests, with all services."""
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site
