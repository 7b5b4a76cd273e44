"""Lets `python -m lightbus` be the `lightbus` command."""

from lightbus.cli import main

main()
