"""The bus: its typed and dynamic endpoints, firing, and the event loops and threads it uses."""

from lightbus.bus.bus import Bus, Health, health
from lightbus.bus.core import Listener

__all__ = ["Bus", "Health", "Listener", "health"]
