"""Servers to kill, pause and reconfigure, alone or as a cluster of three."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lightbus.errors import TransportError
from lightbus.testing import NatsServer
from tests.cli.kit import free_port
from tests.conformance.kits import look_into
from tests.faults.waiting import until

NODES = ("one", "two", "three")


def pause(server: NatsServer) -> None:
    """Pause a server: its connections stay open and nothing answers."""
    server.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED)  # one of its threads may still be running until then


def resume(server: NatsServer) -> None:
    """Resume a paused server."""
    server.signal(signal.SIGCONT)


class Cluster:
    """A cluster of three servers on the loopback interface.

    Attributes:
        nodes: the servers by name.
    """

    def __init__(self, nodes: dict[str, NatsServer], monitors: dict[str, int]) -> None:
        self.nodes, self._monitors = nodes, monitors

    def clients(self, name: str) -> int:
        """Return how many clients are connected to a node."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._monitors[name]}/connz") as answer:
            number: int = json.load(answer)["num_connections"]
            return number

    @property
    def url(self) -> str:
        """The addresses of all nodes."""
        return ",".join(node.url for node in self.nodes.values())

    async def make_stream(self, name: str, subjects: str, **settings: Any) -> None:
        """Create a stream of three replicas, once the cluster has formed, with further settings."""
        config = {
            "name": name,
            "subjects": [subjects],
            "num_replicas": 3,
            "storage": "file",
            "duplicate_window": 600_000_000_000,
            "allow_direct": True,
            **settings,
        }

        async def made() -> bool:
            try:
                async with look_into(self.url) as server:
                    await server.api(f"STREAM.CREATE.{name}", config)
            except TransportError:  # no leader yet, or fewer than three peers
                return False
            return True

        await until(made, "the cluster takes a stream")
        await self.until_whole(name)

    async def info(self, stream: str) -> dict[str, Any]:
        """Return what the cluster reports about a stream."""
        async with look_into(self.url) as server:
            return await server.api(f"STREAM.INFO.{stream}")

    async def leader(self, stream: str) -> NatsServer:
        """Return the server that leads a stream."""
        return self.nodes[(await self.info(stream))["cluster"]["leader"]]

    async def until_whole(self, stream: str) -> None:
        """Wait until a stream has a leader and all its replicas are up to date."""

        async def whole() -> bool:
            try:
                group = (await self.info(stream))["cluster"]
            except TransportError:
                return False
            replicas = group.get("replicas", [])
            return (
                "leader" in group
                and len(replicas) == 2
                and all(replica["current"] and not replica.get("offline") for replica in replicas)
            )

        await until(whole, f"all replicas of {stream} are current")


@contextmanager
def cluster(config: str = "") -> Iterator[Cluster]:
    """Run a cluster of three.

    Args:
        config: additional lines of configuration for every node.
    """
    routes = {name: free_port() for name in NODES}
    monitors = {name: free_port() for name in NODES}
    others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes.values())
    with ExitStack() as stack:
        nodes = {
            name: stack.enter_context(
                NatsServer(
                    config=f"server_name: {name}\nhttp: 127.0.0.1:{monitors[name]}\n"
                    f"cluster {{ name: faults, listen: 127.0.0.1:{port}, routes: [{others}] }}\n{config}"
                )
            )
            for name, port in routes.items()
        }
        yield Cluster(nodes, monitors)
