"""Definitions that several modules of this folder fire and listen with."""

from __future__ import annotations

import pytest

from lightbus import Api, Event


@pytest.fixture
def job_api() -> type[Api]:
    class JobApi(Api):
        wanted = Event(parameters="name")

        class Meta:
            name = "job"

    return JobApi
