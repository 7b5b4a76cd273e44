"""Stage 4: the decided code as text; templates only print."""
