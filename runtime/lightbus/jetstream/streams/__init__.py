"""Streams and durables: what they should be, what they are, and the difference."""
