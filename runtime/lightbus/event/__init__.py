"""An event at rest, as bytes: the envelope, its ids, dead letters."""
