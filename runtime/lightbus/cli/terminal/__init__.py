"""What the commands share: output, tables and times; common options; signals."""
