"""The files of a git commit. Links are followed as in a checkout, but never out of the commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

from lightbus_gen.read.folder import SUFFIXES, shown
from lightbus_gen.read.input_problems import input_error
from lightbus_gen.read.size_limits import MAX_FILES

_LINK, _SUBMODULE = b"120000", b"160000"
_MAX_LINKS = 40  # followed for one path, as on Linux
_FIX = "check that commit out into a folder, and compare with that: --against DIR"


@dataclass(slots=True)
class _Entry:
    """A file, link or submodule.

    Attributes:
        mode: which of them.
        id: its object.
        target: the path that a link leads to.
    """

    mode: bytes
    id: bytes
    target: str = ""


_Node: TypeAlias = "dict[str, _Node] | _Entry"


class Tree:
    """All files of a commit.

    Args:
        label: what messages call the commit.
        listing: what `git ls-tree -r -z --full-tree` prints.
    """

    def __init__(self, label: str, listing: bytes) -> None:
        self._label = label
        self._top: dict[str, _Node] = {}
        self._links: dict[str, _Entry] = {}
        for line in listing.split(b"\0")[:-1]:
            attributes, _, name = line.partition(b"\t")
            mode, _, object_id = attributes.split(b" ")
            path = name.decode(errors="surrogateescape")
            folder, entry = self._top, _Entry(mode, object_id)
            *parents, last = path.split("/")
            for parent in parents:
                node = folder.setdefault(parent, {})
                assert isinstance(node, dict), f"git lists {path!r} below a file"
                folder = node
            folder[last] = entry
            if mode == _LINK:
                self._links[path] = entry

    def links(self) -> dict[str, bytes]:
        """Return the object of each link, by path."""
        return {path: link.id for path, link in self._links.items()}

    def set_targets(self, targets: Mapping[str, bytes]) -> None:
        """Set the contents of each link, by path."""
        for path, target in targets.items():
            self._links[path].target = target.decode(errors="surrogateescape")

    def schemas(self, path: str) -> dict[str, bytes]:
        """Return the objects of the schema files at a path, except hidden ones.

        Returns:
            Those of a folder by their path below it; a single file as `{"": object}`; {} if there is none.

        Raises:
            InputError: the files are not in the commit: a link leads elsewhere, or to its own folder, or there is a
                submodule. Or there are too many.
        """
        nodes = self._follow([self._top], path, path)
        if nodes is None:
            return {}
        if isinstance(nodes[-1], _Entry):
            return {"": nodes[-1].id}
        objects: dict[str, bytes] = {}
        for visits, (relative, entry) in enumerate(self._below(nodes, path, "", ())):
            if visits == MAX_FILES:
                message = f"holds more than {MAX_FILES:,} schema files and folders, links followed"
                self._refuse(path, "TOO_LARGE", message)
            if entry is not None:
                objects[relative] = entry.id
        return objects

    def _below(
        self, nodes: list[_Node], path: str, below: str, within: tuple[int, ...]
    ) -> Iterator[tuple[str, _Entry | None]]:
        """Yield the schema files of a folder by their path below it; its subfolders with None.

        Args:
            nodes: the folder, after those that contain it.
            path: what messages call it.
            below: its own path below the first folder, ending with `/`.
            within: identities of the folders that were entered before, links followed.
        """
        folder = nodes[-1]
        assert isinstance(folder, dict)
        within = (*within, id(folder))
        for name, node in folder.items():
            if name.startswith("."):
                continue
            inner, place, is_schema = [*nodes, node], f"{path}/{name}", name.endswith(SUFFIXES)
            if isinstance(node, _Entry) and node.mode == _LINK:
                target = self._follow(nodes, name, place)
                if target is None:
                    if is_schema or "." not in name:
                        self._refuse(
                            place, "NOT_READABLE", f"is a link that leads nowhere, to {node.target!r}"
                        )
                    continue
                inner = target
            last = inner[-1]
            if isinstance(last, dict):
                if id(last) in within:
                    self._refuse(place, "LINK_LOOP", "is a link to a folder it is in itself")
                yield below + name, None
                yield from self._below(inner, place, f"{below}{name}/", within)
            elif last.mode == _SUBMODULE:
                self._refuse(place, "NOT_READABLE", "is a submodule, whose files are not in this repository")
            elif is_schema:
                yield below + name, last

    def _follow(self, nodes: list[_Node], path: str, place: str) -> list[_Node] | None:
        """Follow a path from a folder.

        Args:
            nodes: the folder, after those that contain it.
            path: the path.
            place: what messages call it.

        Returns:
            What the path leads to, which is no link, after the folders that contain it; None if it leads nowhere.
        """
        nodes, todo, links = [*nodes], path.split("/")[::-1], 0
        while todo:
            part, folder = todo.pop(), nodes[-1]
            if isinstance(folder, _Entry):
                if folder.mode == _SUBMODULE:
                    self._refuse(
                        place,
                        "NOT_READABLE",
                        "leads into a submodule, whose files are not in this repository",
                    )
                return None
            if part in ("", "."):
                continue
            if part == "..":
                nodes.pop()
                if not nodes:
                    self._refuse(place, "OUTSIDE", "leads out of the repository")
                continue
            node = folder.get(part)
            if node is None:
                return None
            if isinstance(node, dict) or node.mode != _LINK:
                nodes.append(node)
                continue
            links += 1
            if links > _MAX_LINKS:
                self._refuse(place, "LINK_LOOP", "is a link that leads back to itself")
            if node.target.startswith("/"):
                self._refuse(place, "OUTSIDE", f"leads out of the repository, to {node.target!r}")
            todo += node.target.split("/")[::-1]
        return nodes

    def _refuse(self, path: str, rule: str, message: str) -> NoReturn:
        raise input_error(rule, message, _FIX, path=shown(Path(), f"{self._label}:{path}"))
