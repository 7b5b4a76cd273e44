"""Run the `lightbus` command with `python -m lightbus`."""

from lightbus.cli import main

main()
