"""Options that several commands of `lightbus-gen` have."""

from __future__ import annotations

import click

shared = click.option(
    "--shared", metavar="GLOB", multiple=True, help="Schema files that make no event. Repeatable."
)
dialects = click.option(
    "--dialect",
    "dialects",
    metavar="[URI]=DRAFT",
    multiple=True,
    help="Read files with this $schema (or none) by a draft: draft-04, draft-06, draft-07, 2019-09, 2020-12."
    " Repeatable.",
)
