"""One event's payload: its parameters, conversion and problems."""
