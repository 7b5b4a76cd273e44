"""Events that are stored in a stream, read back."""
