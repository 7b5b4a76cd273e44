"""One event's payload: its parameters, conversion, problems."""
