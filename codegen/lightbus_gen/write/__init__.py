"""Stage 5: the generated files are written to disk, all or none."""
