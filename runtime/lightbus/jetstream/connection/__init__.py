"""One supervised connection to the server."""
