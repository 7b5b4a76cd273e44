"""Stage 1: files as bytes become values that know their place."""
