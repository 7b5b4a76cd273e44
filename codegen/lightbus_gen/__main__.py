"""`python -m lightbus_gen` is `lightbus-gen`."""

from lightbus_gen.cli import main

if __name__ == "__main__":  # --watch starts processes that import this module again
    main()
