"""Events of a durable, as they arrive."""
