"""What users hold: the bus, its typed and dynamic events, where its work runs."""

from lightbus.bus.bus import Bus, Health, Listener, health

__all__ = ["Bus", "Health", "Listener", "health"]
