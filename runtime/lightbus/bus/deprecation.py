"""The mark of a deprecated event, which type checkers know: of the standard library where Python has it."""

import sys

if sys.version_info >= (3, 13):
    from warnings import deprecated
else:
    from typing_extensions import deprecated

__all__ = ["deprecated"]
