"""Messages read back from streams."""
