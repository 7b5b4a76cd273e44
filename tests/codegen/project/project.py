"""A project in a separate folder, and `lightbus-gen` run in it as a process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests import forks

PYPROJECT = """
[tool.lightbus-gen]
apis = ["shop_bus"]
package = "acme_bus"
"""
API = '''
from lightbus import Api, Event, Parameter

class ShopApi(Api):
    """Everything that is sold."""

    sold = Event(parameters=(Parameter("item", str), Parameter("count", int, default=1)))

    class Meta:
        name = "shop"
'''


class Project:
    """A project folder.

    Args:
        folder: an empty folder.
        files: its first files, by path.

    Attributes:
        cache: the user's cache folder, outside the project.
    """

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder = folder
        self.cache = folder.with_name(f"{folder.name}-cache")
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def texts(self, *folders: str) -> dict[str, str]:
        """Read all files of some folders."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_text()
            for folder in folders
            for path in sorted((self.folder / folder).rglob("*"))
            if path.is_file()
        }

    def run(
        self, *arguments: str, cwd: str = ".", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `lightbus-gen` in the project."""
        command = ("lightbus_gen", *arguments)
        environment = os.environ | {"COLUMNS": "200", "XDG_CACHE_HOME": str(self.cache)} | (env or {})
        code, out, err = forks.run(*command, folder=self.folder / cwd, environment=environment, timeout=60)
        return subprocess.CompletedProcess(command, code, out, err)


def shop(folder: Path) -> Project:
    """Make a project with one API."""
    return Project(folder, {"pyproject.toml": PYPROJECT, "shop_bus.py": API})
