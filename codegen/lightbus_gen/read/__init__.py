"""Stage 1: bytes of files become values with their places."""
