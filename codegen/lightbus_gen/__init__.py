"""Generates typed clients from schemas; the command is `lightbus-gen`."""
