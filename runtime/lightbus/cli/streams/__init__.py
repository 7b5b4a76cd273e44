"""`lightbus plan`, `apply`, `status` and `inspect`."""
