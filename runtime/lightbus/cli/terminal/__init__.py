"""What a terminal shows: messages, tables, times; options and signals."""
