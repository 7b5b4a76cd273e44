"""`lightbus dead-letters`."""
