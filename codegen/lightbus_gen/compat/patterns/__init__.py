"""Regular expressions as sets of strings."""
