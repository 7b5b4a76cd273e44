"""What users hold: the bus, its typed and dynamic events, where its work runs."""

from lightbus.bus.bus import Bus, Health, health
from lightbus.bus.listeners import Listener

__all__ = ["Bus", "Health", "Listener", "health"]
