"""One listener at work: take an event, call the handler, decide, settle."""
