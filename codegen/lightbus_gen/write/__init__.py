"""Stage 5: generated files reach the disk, all or none."""
