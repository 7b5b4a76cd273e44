"""Shared by the commands: output, tables, times, options and signals."""
