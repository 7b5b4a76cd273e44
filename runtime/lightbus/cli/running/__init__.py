"""`lightbus run`, `dev` and `server`."""
