"""`python -m lightbus_gen` is `lightbus-gen`."""

from lightbus_gen.cli import main

main()
